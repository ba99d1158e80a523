// docs/security.md: its commands, its error message, and that a kubelet cannot forge the recommended label.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startControlPlane } from '../cluster/control-plane.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { addNodes } from '../cluster/nodes.ts';
import type { ControlPlane } from '../cluster/types.ts';
import { commandsOf, createRun, readPage, root, type Run } from './page.ts';

const page = await readPage('security.md');
let cluster: ControlPlane;
let folder: string;
let run: Run;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'docs-security-'));
  cluster = await startControlPlane({ flags: { 'kube-apiserver': ['--enable-admission-plugins=NodeRestriction'] } });
  await addNodes(cluster, { name: 'prod-a', count: 2 }, { name: 'general', count: 1 });
  await installCrds(cluster);
  await cluster.kubectl(['apply', '-k', join(root, 'manifests/policies')]);
  for (const namespace of ['shop', 'bank']) await cluster.kubectl(['create', 'namespace', namespace]);
  run = createRun(folder, [dirname(cluster.binaries.kubectl)], { KUBECONFIG: cluster.kubeconfigPath, HOME: folder });
  for (const command of commandsOf(page)) await run(command);
}, 300_000);

afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true });
});

test('the page shows the real error message', async () => {
  const [, command = '', answer = ''] = /^```console\n\$ (kubectl run .*)\n(Error .*)\n```$/m.exec(page) ?? [];
  expect(answer).toContain('VMPool prod-a is closed');
  const until = { timeout: 60_000, interval: 200 };
  await vi.waitFor(() => expect(run(`${command} --dry-run=server`)).rejects.toThrow(answer), until);
});

test('a tenant’s pod runs on the VMs, by label and toleration', async () => {
  const key = 'node-restriction.kubernetes.io/pool';
  const spec = {
    nodeSelector: { [key]: 'prod-a' },
    tolerations: [{ key, operator: 'Equal', value: 'prod-a', effect: 'NoSchedule' }],
  };
  await run(
    `kubectl run web --namespace shop --image registry.example.com/web:1 --overrides '${JSON.stringify({ spec })}'`,
  );
  await run('kubectl wait pod/web --namespace shop --for=condition=PodScheduled --timeout=60s');
  expect(await run("kubectl get pod web --namespace shop --output=jsonpath='{.spec.nodeName}'")).toMatch(/^prod-a-/);
});

test('a kubelet may set labels on its own node, but not this one', async () => {
  const as = '--as=system:node:general-0 --as-group=system:nodes';
  const label = (key: string) => run(`kubectl label node general-0 ${key}=prod-a ${as}`);
  await label('eks.amazonaws.com/nodegroup');
  await expect(label('node-restriction.kubernetes.io/pool')).rejects.toThrow('is not allowed to modify labels');
});
