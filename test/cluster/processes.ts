// Child processes that end with this one, however it ends.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isAlive } from './lock.ts';

const pidSuffix = '.pid';

/** What to run. */
export interface Command {
  /** Names it in errors. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly logFile: string;
  /** Let it outlive this process. */
  readonly detached: boolean;
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A started child process. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Whether it has ended, by itself or by stop(). */
  ended(): boolean;
  /** Ends it with SIGKILL and waits until it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a process in a session of its own, so that Ctrl-C reaches only us and we end it in order. Unless detached, its
 * standard input is a pipe that the kernel closes when this process ends, which it takes as its own end (exitwithparent.go).
 * Does not keep this process alive.
 */
export async function start(command: Command): Promise<Running> {
  const { name, file, args, logFile, detached, env } = command;
  const log = openSync(logFile, 'a');
  const child = spawn(file, args, {
    detached: true,
    stdio: [detached ? 'ignore' : 'pipe', log, log],
    env: { ...process.env, ...env, EXIT_WITH_PARENT: detached ? '' : 'stdin' },
  });
  closeSync(log);
  // Written at once, so that an interrupted start can be found.
  if (detached && child.pid !== undefined) writeFileSync(`${logFile}${pidSuffix}`, String(child.pid));
  await once(child, 'spawn');
  child.unref();
  if (child.stdin !== null) unref(child.stdin);
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  return { name, pid: pidOf(child), logFile, ended, stop: () => kill(child) };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.ref();
  child.kill('SIGKILL');
  await exit;
}

/** The ids of the detached processes that were started with log files in the folder, and still run. */
export async function findDetached(dir: string): Promise<number[]> {
  const pids: number[] = [];
  for await (const file of glob(`**/*${pidSuffix}`, { cwd: dir })) {
    const pid = Number(await readFile(join(dir, file), 'utf8'));
    // After a restart of the machine the id may be another process's: ours have the folder in their arguments.
    if (isAlive(pid) && (await commandLine(pid)).includes(dir)) pids.push(pid);
  }
  return pids;
}

async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]);
  return stdout;
}

/** Removes the folder when this process has ended without calling the returned function. */
export async function removeWithUs(dir: string): Promise<() => Promise<void>> {
  // The others notice our end at the same time: it gives them a second to stop writing into the folder.
  const script = 'read -r _; sleep 1; rm -rf -- "$0"';
  const child = spawn('/bin/sh', ['-c', script, dir], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  await once(child, 'spawn');
  child.unref();
  unref(child.stdin);
  return () => kill(child);
}

/** Lets this process end though the pipe to a child is open. */
export function unref(stream: NodeJS.WritableStream): void {
  // A pipe to a child is a net.Socket, which its type does not say.
  (stream as NodeJS.WritableStream & { unref(): void }).unref();
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('a spawned process has no id');
  return child.pid;
}

/** A time limit or a process that a condition depends on. */
export interface WaitOptions {
  readonly timeoutSeconds: number;
  /** Gives up as soon as one of them has ended. */
  readonly needs?: readonly Running[];
  /** Interval between checks (ms). */
  readonly interval?: number;
}

/**
 * Waits until the condition holds; an exception counts as "not yet".
 * @throws Error with the last exception and the end of the needed processes' logs
 */
export async function waitFor(what: string, condition: () => Promise<boolean>, options: WaitOptions): Promise<void> {
  const deadline = Date.now() + options.timeoutSeconds * 1000;
  const needs = options.needs ?? [];
  let cause: unknown;
  for (;;) {
    try {
      if (await condition()) return;
    } catch (error) {
      cause = error;
    }
    const gone = needs.find((process) => process.ended());
    if (gone !== undefined) throw new Error(`${gone.name} ended while waiting for ${what}:\n${await logTail(gone)}`);
    if (Date.now() > deadline) {
      const logs = await Promise.all(needs.map(logTail));
      throw new Error(`No ${what} within ${options.timeoutSeconds} s\n${logs.join('\n')}`, { cause });
    }
    await delay(options.interval ?? 50);
  }
}

/** The end of what a process printed. */
export async function logTail(process: Running): Promise<string> {
  const log = await readFile(process.logFile, 'utf8');
  return `--- ${process.name}, the end of ${process.logFile}\n${log.trimEnd().split('\n').slice(-20).join('\n')}`;
}

/**
 * A TCP port of 127.0.0.1 that is free, below the range that the kernel takes for outgoing connections: it stays free
 * while a server that has it is restarted.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening');
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    } finally {
      server.close();
    }
  }
}
