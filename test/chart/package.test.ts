// The chart as a package: lint, Artifact Hub, the table of values, and `helm test`.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { valueRows } from '../../scripts/chart.ts';
import { KINDS } from '../../src/api/kinds.ts';
import { API_VERSION, GROUP, VERSION } from '../../src/api/meta.ts';
import type { Helm, RenderedPodSpec, Values } from './helm.ts';
import { chart, createHelm, EVERYTHING, find, KUBE_VERSION, NAME, NAMESPACE } from './helm.ts';

interface ChartFile {
  readonly version: string;
  readonly appVersion: string;
  readonly annotations: Readonly<Record<string, string>>;
}

let helm: Helm;
const about = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as ChartFile;

beforeAll(async () => {
  helm = await createHelm();
});

afterAll(() => helm.close());

test.each<[string, Values]>([
  ['the defaults', {}],
  ['everything', EVERYTHING],
  ['some namespaces', { watchNamespaces: ['shop'], rbac: { readSecrets: false } }],
])('helm lint has nothing to say about %s', async (_what, values) => {
  const output = await helm.run(['lint', '--strict', chart, KUBE_VERSION], values);
  expect(output).toContain('1 chart(s) linted, 0 chart(s) failed');
  expect(output).not.toMatch(/\[(INFO|WARNING|ERROR)\]/);
});

describe('Artifact Hub', () => {
  const annotation = (name: string): unknown => parse(about.annotations[`artifacthub.io/${name}`] ?? '');

  test('lists all kinds', () => {
    expect(annotation('crds')).toEqual(
      KINDS.map(({ kind, plural }) => ({
        kind,
        version: VERSION,
        name: `${plural}.${GROUP}`,
        displayName: kind,
        description: expect.any(String) as string,
      })),
    );
  });

  test('has an example of each kind', () => {
    expect(annotation('crdsExamples')).toEqual(
      KINDS.map(({ kind }) => expect.objectContaining({ apiVersion: API_VERSION, kind }) as unknown),
    );
  });

  test('lists the image', () => {
    expect(annotation('images')).toEqual([{ name: 'operator', image: `apprelease/operator:${about.appVersion}` }]);
  });
});

test('the chart runs the operator of the same sources', () => {
  expect(about.appVersion).toBe(manifest.version);
});

describe('the table of values', () => {
  test('uses the comments with two dashes', () => {
    const values = "# Not this.\n\n# -- First | one,\n# two lines.\na: ''\nb:\n  # -- Second.\n  c: { d: 1 }\n";
    expect(valueRows(values)).toEqual([
      { path: 'a', initial: '', help: 'First \\| one, two lines.' },
      { path: 'b.c', initial: '`{"d":1}`', help: 'Second.' },
    ]);
  });

  test('requires a comment for every value', () => {
    expect(() => valueRows('a:\n  # No dashes.\n  b: 1\n')).toThrow('a.b has no comment');
  });
});

describe('helm test', () => {
  /** Runs the command of the test pod with this Node, against a server with these answers. */
  async function ask(status: number): Promise<string> {
    const pod = find(await helm.render(), 'Pod', `${NAME}-test`);
    const [node, ...args] = (pod.spec as unknown as RenderedPodSpec).containers[0].command ?? [];
    expect(node).toBe('/nodejs/bin/node');
    const server = createServer((request, response) => response.writeHead(status).end(request.url));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const here = args.map((arg) =>
      arg.replace(`${NAME}.${NAMESPACE}.svc:8081`, `127.0.0.1:${port}`).replace('60_000', '0'),
    );
    try {
      const { stdout } = await promisify(execFile)(process.execPath, here, { env: {} });
      return stdout;
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('succeeds with a ready operator', async () => {
    expect(await ask(200)).toMatch(/\/readyz 200\n$/);
  });

  test('fails with an operator that is not ready', async () => {
    await expect(ask(503)).rejects.toMatchObject({ code: 1, stdout: expect.stringContaining('/readyz 503') as string });
  });
});
