// Preloaded into a Node process that must not outlive its parent: the parent holds the other end of its standard
// input, and the kernel closes that end, however the parent dies.
process.stdin
  .once('end', () => process.exit(1))
  .resume()
  .unref();
