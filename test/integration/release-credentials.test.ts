// The operator's process resolves private images with the credentials of pods, service accounts or its own.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { pushImage } from '../cluster/images.ts';
import { startRegistry } from '../cluster/registry.ts';
import { startTokenServer } from '../cluster/token-server.ts';
import type { PushedImage, Registry, TokenServer } from '../cluster/types.ts';
import type { OperatorProcess } from './operator-process.ts';
import { installOperator, startOperatorProcess } from './operator-process.ts';
import { ownCluster } from './own-cluster.ts';
import type { ProcessWorld } from './process-world.ts';
import { createProcessWorld } from './process-world.ts';
import type { Spec } from './release-objects.ts';
import { oneStage, release } from './release-objects.ts';

const cluster = ownCluster();
const user = 'puller';
const password = 'correct horse';

let kubeconfig: string;
let world: ProcessWorld;
let operator: OperatorProcess | undefined;

beforeAll(async () => {
  kubeconfig = await installOperator(cluster);
});

beforeEach(async () => {
  world = await createProcessWorld(cluster);
});

afterEach(async () => {
  await operator?.stop();
  operator = undefined;
  await world.end();
});

async function start(...flags: string[]): Promise<void> {
  const all = [`--namespace=${world.namespace}`, '--leader-elect=false', ...flags];
  operator = await startOperatorProcess(cluster, { kubeconfig, flags: all });
}

/** A release of an image with further fields in the pod spec. */
function releaseOf(image: string, podSpec: object): Spec {
  const spec = release(image, { stages: oneStage });
  return { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, ...podSpec } } };
}

function createPullSecret(server: string, login: { user: string; password: string }): Promise<string> {
  return cluster.kubectl([
    `--namespace=${world.namespace}`,
    ...['create', 'secret', 'docker-registry', 'regcred', `--docker-server=${server}`],
    ...[`--docker-username=${login.user}`, `--docker-password=${login.password}`],
  ]);
}

async function expectPinned({ pinned }: PushedImage): Promise<void> {
  const { items } = await world.admin.list(DEPLOYMENTS, { namespace: world.namespace });
  const images = items.map(({ spec }) => spec.template.spec.containers[0]?.image);
  expect(images).toEqual([pinned]);
}

async function isStalled(reason: string): Promise<boolean> {
  const condition = await world.condition('Stalled');
  return condition?.status === 'True' && condition.reason === reason;
}

describe('basic authentication', () => {
  let registry: Registry;
  let pushed: PushedImage;

  beforeAll(async () => {
    registry = await startRegistry({ auth: { htpasswd: { user, password } } });
    pushed = await pushImage(registry, 'shop/web', '1.0');
  });
  afterAll(() => registry.stop());

  test("the template's pull secret: a missing secret stalls the release with the ways out, until it exists", async () => {
    await start(`--insecure-registry=${registry.host}`);
    await world.apply(releaseOf(pushed.image, { imagePullSecrets: [{ name: 'regcred' }] }));
    await world.until('Stalled', () => isStalled('Unauthorized'));
    const { message } = (await world.condition('Stalled')) ?? {};
    expect(message).toContain(`Secret ${world.namespace}/regcred does not exist`);
    expect(message).toMatch(
      /Ways out: imagePullSecrets in the template or on its service account; the operator's docker/,
    );
    expect(await world.condition('DigestsPinned')).toMatchObject({ status: 'False', reason: 'Unauthorized' });

    await createPullSecret(registry.host, { user, password: 'wrong' });
    await world.until('the wrong Secret named', async () => {
      const text = (await world.condition('Stalled'))?.message ?? '';
      return text.includes(`asked with Secret ${world.namespace}/regcred`);
    });
    expect(JSON.stringify([await world.condition('Stalled'), operator?.log()])).not.toContain('wrong"');

    await cluster.kubectl([`--namespace=${world.namespace}`, 'delete', 'secret', 'regcred']);
    await createPullSecret(registry.host, { user, password });
    await world.released('1.0');
    await expectPinned(pushed);
    expect(JSON.stringify(operator?.log())).not.toContain(password);
  });

  test("the operator's own docker config, without a right to Secrets", async () => {
    const file = join(cluster.dir, 'docker-config.json');
    const auth = Buffer.from(`${user}:${password}`).toString('base64');
    await writeFile(file, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    const config = [`--registry-docker-config=${file}`, '--read-pull-secrets=false'];
    await start(`--insecure-registry=${registry.host}`, ...config);
    await world.apply(releaseOf(pushed.image, {}));
    await world.released('1.0');
    await expectPinned(pushed);
    await rm(file);
  });
});

describe('bearer tokens, over TLS', () => {
  let tokens: TokenServer;
  let registry: Registry;
  let pushed: PushedImage;

  beforeAll(async () => {
    const { dir } = cluster;
    const tls = { certFile: join(dir, 'certs/apiserver.crt'), keyFile: join(dir, 'certs/apiserver.key') };
    tokens = await startTokenServer();
    registry = await startRegistry({ auth: { token: tokens }, tls });
    pushed = await pushImage(registry, 'shop/web', '1.0', { platforms: ['linux/amd64', 'linux/arm64'] });
  });
  afterAll(async () => {
    await registry.stop();
    await tokens.stop();
  });

  async function createServiceAccount(): Promise<void> {
    const metadata = { name: 'puller', namespace: world.namespace };
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata, imagePullSecrets: [{ name: 'regcred' }] };
    await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(account) });
  }

  test("the service account's pull secret, and the operator's CA", async () => {
    await createPullSecret(registry.host, tokens);
    await createServiceAccount();
    await start(`--insecure-registry=${new URL(tokens.realm).host}`, `--registry-ca-file=${registry.caFile ?? ''}`);
    await world.apply(releaseOf(pushed.image, { serviceAccountName: 'puller' }));
    await world.released('1.0');
    await expectPinned(pushed);
  });

  test('a certificate that is not trusted is a cause for the log, and the condition names the flag', async () => {
    await start();
    await world.apply(releaseOf(pushed.image, {}));
    await world.until('RegistryUnavailable', async () => {
      return (await world.condition('DigestsPinned'))?.reason === 'RegistryUnavailable';
    });
    expect((await world.condition('DigestsPinned'))?.message).toContain('--registry-ca-file');
    await operator?.says('a registry cannot be reached');
    const line = operator?.log().find(({ msg }) => msg === 'a registry cannot be reached');
    expect(line).toMatchObject({ image: pushed.image, registry: registry.host, host: registry.host });
    expect(line?.['cause']).toContain('the certificate or TLS version is not accepted');
  });
});
