/** The files that -f names: files, folders of YAML, and - for standard input. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../exit-codes.ts';
import type { Io } from '../io.ts';

export interface NamedText {
  readonly file: string;
  readonly text: string;
}

/** @throws CliError for a file that cannot be read, and a folder without YAML */
export async function readFiles(names: readonly string[], io: Pick<Io, 'stdin'>): Promise<NamedText[]> {
  const texts: NamedText[] = [];
  for (const name of names)
    for (const file of name === '-' ? ['-'] : await filesOf(name))
      texts.push({ file: file === '-' ? 'standard input' : file, text: await textOf(file, io) });
  return texts;
}

async function filesOf(name: string): Promise<string[]> {
  const isFolder = await readable(name, async () => (await stat(name)).isDirectory());
  if (!isFolder) return [name];
  const entries = await readable(name, () => readdir(name));
  const files = entries.filter((entry) => /\.(ya?ml|json)$/.test(entry)).sort();
  if (files.length === 0) throw new CliError(`the folder ${name} has no .yaml, .yml or .json file`);
  return files.map((entry) => join(name, entry));
}

function textOf(file: string, io: Pick<Io, 'stdin'>): Promise<string> {
  return file === '-' ? io.stdin() : readable(file, () => readFile(file, 'utf8'));
}

async function readable<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new CliError(`cannot read ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
