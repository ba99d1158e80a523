// The pull secrets of the template, else of the service account, then the operator's docker config.
import { describe, expect, it } from 'vitest';
import { collectPullSecrets, createCredentialLoader, createOwnCredentialLoader } from './pull-secrets.ts';
import type { PullSecret, PullServiceAccount } from './pull-secrets.ts';
import { parseReference } from './reference.ts';
import { createKeyring } from './credentials.ts';
import type { Keyring, PodPullSpec, ResolutionFailure } from './types.ts';

function dockerSecret(username: string): PullSecret {
  const config = JSON.stringify({ auths: { 'r.example': { username, password: 'p' } } });
  return {
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
  };
}

function legacySecret(username: string): PullSecret {
  const config = JSON.stringify({ 'r.example': { username, password: 'p' } });
  return { type: 'kubernetes.io/dockercfg', data: { '.dockercfg': Buffer.from(config).toString('base64') } };
}

interface World {
  readonly secrets?: Readonly<Record<string, PullSecret>>;
  readonly accounts?: Readonly<Record<string, PullServiceAccount>>;
}

function collect({ secrets = {}, accounts = {} }: World, podSpec: PodPullSpec) {
  return collectPullSecrets(
    (namespace, name) => Promise.resolve(namespace === 'shop' ? secrets[name] : undefined),
    (namespace, name) => Promise.resolve(namespace === 'shop' ? accounts[name] : undefined),
    'shop',
    podSpec,
  );
}

function usernames(result: Keyring | ResolutionFailure): string[] {
  if (result.kind === 'failed') throw new Error(result.message);
  const reference = parseReference('r.example/app');
  if (reference.kind === 'invalid') throw new Error(reference.message);
  return result.candidates(reference).map((found) => (found.type === 'basic' ? found.username : ''));
}

function notes(result: Keyring | ResolutionFailure): readonly string[] {
  if (result.kind === 'failed') throw new Error(result.message);
  return result.notes;
}

const secrets = { a: dockerSecret('a'), b: legacySecret('b'), c: dockerSecret('c') };

describe('collectPullSecrets', () => {
  it("reads the template's secrets in order, and none of the service account", async () => {
    const world = { secrets, accounts: { web: { imagePullSecrets: [{ name: 'c' }] } } };
    const podSpec = { serviceAccountName: 'web', imagePullSecrets: [{ name: 'b' }, { name: '' }, {}, { name: 'a' }] };
    const keyring = await collect(world, podSpec);
    expect(usernames(keyring)).toEqual(['b', 'a']);
    expect(notes(keyring)).toEqual([expect.stringContaining("service account's are not used")]);
  });

  it("reads the service account's secrets if the template names none", async () => {
    const accounts = { web: { imagePullSecrets: [{ name: 'c' }] }, default: { imagePullSecrets: [{ name: 'a' }] } };
    expect(usernames(await collect({ secrets, accounts }, { serviceAccountName: 'web' }))).toEqual(['c']);
    expect(usernames(await collect({ secrets, accounts }, {}))).toEqual(['a']);
  });

  it('determines the service account as the API server does', async () => {
    const accounts = { web: { imagePullSecrets: [{ name: 'c' }] }, default: { imagePullSecrets: [{ name: 'a' }] } };
    const of = async (podSpec: PodPullSpec) => usernames(await collect({ secrets, accounts }, podSpec));
    expect(await of({ serviceAccountName: '' })).toEqual(['a']);
    expect(await of({ serviceAccount: 'web' })).toEqual(['c']);
    expect(await of({ serviceAccountName: 'web', serviceAccount: 'default' })).toEqual(['c']);
  });

  it('notes a secret with the right type but without its key', async () => {
    const empty = { type: 'kubernetes.io/dockerconfigjson', data: { '.dockercfg': 'e30=' } };
    const keyring = await collect({ secrets: { empty } }, { imagePullSecrets: [{ name: 'empty' }] });
    expect(notes(keyring)).toContain('Secret shop/empty has no key .dockerconfigjson');
  });

  it('skips secrets that are missing or of another type, and notes it', async () => {
    const world = { secrets: { ...secrets, tls: { type: 'kubernetes.io/tls' }, plain: {} } };
    const podSpec = { imagePullSecrets: ['gone', 'tls', 'plain', 'a'].map((name) => ({ name })) };
    const keyring = await collect(world, podSpec);
    expect(usernames(keyring)).toEqual(['a']);
    expect(notes(keyring)).toEqual(
      expect.arrayContaining([
        'Secret shop/gone does not exist',
        expect.stringContaining('Secret shop/tls has the type kubernetes.io/tls'),
        expect.stringContaining('Secret shop/plain has the type Opaque'),
      ]),
    );
    expect(notes(await collect({}, { serviceAccountName: 'web' }))).toEqual(['ServiceAccount shop/web does not exist']);
  });

  it('names the secret and the key of invalid content, and does not quote it', async () => {
    const bad = { type: 'kubernetes.io/dockercfg', data: { '.dockercfg': Buffer.from('hunter2').toString('base64') } };
    const result = await collect({ secrets: { bad } }, { imagePullSecrets: [{ name: 'bad' }] });
    expect(result).toMatchObject({ kind: 'failed', reason: 'InvalidPullSecret', retryable: true });
    expect(result).toHaveProperty('message', expect.stringContaining('Key .dockercfg of Secret shop/bad is invalid'));
    expect(JSON.stringify(result)).not.toMatch(/hunter2|aHVudGVyMg/);
  });

  it.each([
    [403, 'grant the operator the verb get'],
    [500, 'the API server answered 500'],
  ])("fails with the API server's %d, without the content of its error", async (code, hint) => {
    const error = Object.assign(new Error('Headers: {"authorization": "hunter2"}'), { code });
    const refuse = () => Promise.reject(error);
    const result = await collectPullSecrets(refuse, refuse, 'shop', {});
    expect(result).toMatchObject({ kind: 'failed', reason: 'CredentialsUnavailable', retryable: true });
    expect(result).toHaveProperty('message', expect.stringContaining(hint));
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});

describe('the work that a template can cause', () => {
  const many = Array.from({ length: 5000 }, (_, n) => ({ name: `s${n}` }));

  it('is limited to 32 secrets', async () => {
    const asked: string[] = [];
    const keyring = await collectPullSecrets(
      (_, name) => {
        asked.push(name);
        return Promise.resolve(dockerSecret(name));
      },
      () => Promise.resolve(undefined),
      'shop',
      { imagePullSecrets: many },
    );
    expect(asked).toEqual(many.slice(0, 32).map(({ name }) => name));
    expect(notes(keyring)).toContain('only the first 32 imagePullSecrets are read');
  });

  it('is limited to 1 MiB of content', async () => {
    const auth = { username: 'x'.repeat(700_000), password: 'p' };
    const content = Buffer.from(JSON.stringify({ auths: { 'r.example': auth } })).toString('base64');
    const large: PullSecret = { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': content } };
    const podSpec = { imagePullSecrets: ['large', 'larger', 'a'].map((name) => ({ name })) };
    const keyring = await collect({ secrets: { ...secrets, large, larger: large } }, podSpec);
    expect(usernames(keyring).map((name) => name.length)).toEqual([700_000, 1]);
    expect(notes(keyring)).toContain('Secret shop/larger is skipped: the limit for all pull secrets of a pod is 1 MiB');
  });

  it.each(['x'.repeat(254), '../nodes', 'A', 'a\u0000', 'a b', '-a', 'a-'])('is none for the name %j', async (name) => {
    const asked: string[] = [];
    const get = (_: string, given: string) => {
      asked.push(given);
      return Promise.resolve(undefined);
    };
    const byTemplate = await collectPullSecrets(get, get, 'shop', { imagePullSecrets: [{ name }] });
    const byAccount = await collectPullSecrets(get, get, 'shop', { serviceAccountName: name });
    expect(asked).toEqual([]);
    expect(notes(byTemplate).join('').length).toBeLessThan(250);
    expect(notes(byAccount)).toEqual([expect.stringMatching(/^".{1,100}" is not a valid name of a ServiceAccount$/)]);
  });

  it.each([
    ['deep', '{"auths":'.repeat(100_000)],
    [
      'of too many entries',
      JSON.stringify({ auths: Object.fromEntries(many.map(({ name }) => [name, { auth: '' }])) }),
    ],
  ])('is none for a docker config that is %s', async (_, config) => {
    const bad = { type: 'kubernetes.io/dockercfg', data: { '.dockercfg': Buffer.from(config).toString('base64') } };
    const result = await collect({ secrets: { bad } }, { imagePullSecrets: [{ name: 'bad' }] });
    expect(result).toMatchObject({ kind: 'failed', reason: 'InvalidPullSecret' });
  });

  it('is small for thousands of entries', async () => {
    const auths = Object.fromEntries(many.slice(0, 3000).map(({ name }) => [`${name}.example`, { username: name }]));
    const content = Buffer.from(JSON.stringify({ auths: { ...auths, 'r.example': { username: 'me' } } }));
    const secret: PullSecret = {
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': content.toString('base64') },
    };
    const keyring = await collect({ secrets: { secret } }, { imagePullSecrets: [{ name: 'secret' }] });
    expect(usernames(keyring)).toEqual(['me']);
  });
});

describe('createCredentialLoader', () => {
  const request = { key: 'shop/web', image: 'r.example/app', namespace: 'shop' };
  const signal = new AbortController().signal;
  const operator = createKeyring([
    { location: 'r.example', credential: { source: 'operator', type: 'basic', username: 'operator', password: 'p' } },
  ]);

  it("tries the pod's credentials before the operator's", async () => {
    const load = createCredentialLoader(
      () => Promise.resolve(dockerSecret('pod')),
      () => Promise.resolve({}),
      () => Promise.resolve(operator),
    );
    const withSecret = await load({ ...request, podSpec: { imagePullSecrets: [{ name: 'x' }] } }, signal);
    expect(usernames(withSecret)).toEqual(['pod', 'operator']);
    expect(usernames(await load({ ...request, podSpec: {} }, signal))).toEqual(['operator']);
  });

  it("uses only the operator's credentials if it may read no Secrets, and notes it", async () => {
    const podSpec = { imagePullSecrets: [{ name: 'x' }] };
    const keyring = await createOwnCredentialLoader(() => Promise.resolve(operator))({ ...request, podSpec }, signal);
    expect(usernames(keyring)).toEqual(['operator']);
    expect(notes(keyring)).toEqual([expect.stringContaining('--read-pull-secrets=false')]);
    expect(usernames(await createOwnCredentialLoader()({ ...request, podSpec }, signal))).toEqual([]);
  });
});
