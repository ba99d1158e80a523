/** kubectl apprelease lint: finds what would be refused in a file, before it is committed. */
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { KINDS } from '../../api/kinds.ts';
import { API_VERSION } from '../../api/meta.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import { describeError } from '../errors.ts';
import type { ExitCode } from '../exit-codes.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { Problem } from '../lint/documents.ts';
import type { OwnObject } from '../lint/lint.ts';
import { lintFile, problemAt } from '../lint/lint.ts';
import { askServer } from '../lint/server.ts';
import { paintFor } from '../print/paint.ts';
import { readFiles } from '../read/files.ts';
import { withSession } from '../session.ts';

export const lint: CliCommand = {
  rights: [
    {
      verbs: ['get', 'apply'],
      resource: APP_RELEASES,
      without: '`--server` for files with this kind (and so on for the other kinds)',
    },
  ],
  create: ({ io, exit }) =>
    clusterCommand('lint', 'check files with line numbers, without a cluster', [
      ['All files of a folder, as in a pipeline', 'lint -f deploy/'],
      ['The output of another tool', 'lint -f - < rendered.yaml'],
      ['With the policies and webhooks of a cluster too', 'lint -f web.yaml --server'],
    ])
      .requiredOption('-f, --filename <file...>', 'files, folders of YAML, or - for standard input')
      .option('--server', 'ask the API server too, by a dry run that stores nothing')
      .action(async (options) => {
        exit(await lintAll(options.filename, options.server === true ? options : undefined, io));
      }),
};

type Found = { file: string; problem: Problem };

async function lintAll(
  names: readonly string[],
  server: Parameters<typeof withSession>[1] | undefined,
  io: Io,
): Promise<ExitCode> {
  const found: Found[] = [];
  const objects: { file: string; object: OwnObject }[] = [];
  try {
    for (const { file, text } of await readFiles(names, io)) {
      const linted = lintFile(text);
      found.push(...linted.problems.map((problem) => ({ file, problem })));
      objects.push(...linted.objects.map((object) => ({ file, object })));
    }
  } catch (error) {
    io.err(`${describeError(error)}\n`);
    return EXIT.failed;
  }
  if (objects.length === 0 && found.length === 0) {
    io.err(`error: no object of ${API_VERSION} (${KINDS.map(({ kind }) => kind).join(', ')}) in the files\n`);
    return EXIT.failed;
  }
  // What is wrong already would be told twice.
  if (server && found.length === 0) {
    const code = await withSession(io, server, async (session) => {
      for (const { file, object } of objects) {
        const { faults } = await askServer(session, object);
        found.push(...faults.map((fault) => ({ file, problem: problemAt(object.document, fault) })));
      }
      return EXIT.ok;
    });
    if (code !== EXIT.ok) return code;
  }
  report(found, objects.length, io);
  return found.length > 0 ? EXIT.failed : EXIT.ok;
}

/** As compilers do, so that editors and pipelines find the line. */
function report(found: readonly Found[], count: number, io: Io): void {
  const paint = paintFor(io.isColoured);
  for (const { file, problem } of found) {
    const { line, column, field, message } = problem;
    const text = field === '' ? message : `${field}: ${message}`;
    io.out(`${file}:${line}:${column}: ${paint('bad', 'error')}: ${text}\n`);
  }
  const objects = count === 1 ? '1 object' : `${count} objects`;
  io.err(found.length === 0 ? `${objects}, no problem\n` : `${objects}, ${found.length} problems\n`);
}
