#!/usr/bin/env node
/** The process of the kubectl plugin. */
import { createIo } from './io.ts';
import { run } from './program.ts';

const interrupt = new AbortController();
process.once('SIGINT', () => {
  interrupt.abort();
});
// A reader such as head may close its end.
process.stdout.on('error', () => process.exit(0));
process.exitCode = await run(process.argv.slice(2), createIo(process, interrupt.signal));
