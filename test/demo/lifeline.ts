// Preloaded into a Node process that must not outlive the one that started it: whoever holds the other end of its standard
// input, the kernel closes that end, however the holder dies.
process.stdin
  .once('end', () => process.exit(1))
  .resume()
  .unref();
