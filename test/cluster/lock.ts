import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Runs the action while holding a lock file, which names its holder's process id: waits for another holder to end, and
 * takes over the lock of one that is dead. Two processes may take over the same dead lock at once, so the action must
 * be safe to run twice.
 */
export async function withLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  while (!(await create(path))) {
    if (isAlive(Number(await readFile(path, 'utf8').catch(() => '')))) await delay(200);
    else await rm(path, { force: true });
  }
  try {
    return await action();
  } finally {
    await rm(path, { force: true });
  }
}

async function create(path: string): Promise<boolean> {
  // A link appears at once with its content: nobody can read a lock without its holder.
  const own = `${path}.${process.pid}`;
  await writeFile(own, String(process.pid));
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own);
  }
}

/** Whether a process has this id; false for what is no process id. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
