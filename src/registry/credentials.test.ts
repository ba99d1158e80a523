// Docker configs match images by the rules of the kubelet.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createDockerConfigFile,
  createKeyring,
  locationMatches,
  mergeKeyrings,
  parseDockerConfig,
} from './credentials.ts';
import { parseReference } from './reference.ts';
import type { Keyring, Reference } from './types.ts';

function reference(text: string): Reference {
  const parsed = parseReference(text);
  if (parsed.kind === 'invalid') throw new Error(parsed.message);
  return parsed;
}

function keyringOf(...locations: string[]): Keyring {
  return createKeyring(
    locations.map((location) => ({
      location,
      credential: { source: 'test', type: 'basic', username: location, password: 'p' },
    })),
  );
}

/** The locations of the candidates, in order. */
function search(keyring: Keyring, image: string): string[] {
  return keyring
    .candidates(reference(image))
    .map((credential) => (credential.type === 'basic' ? credential.username : credential.token));
}

describe('locationMatches', () => {
  // TestURLsMatch of Kubernetes' pkg/credentialprovider.
  it.each([
    ['*.kubernetes.io', 'prefix.kubernetes.io', true],
    ['prefix.*.io', 'prefix.kubernetes.io', true],
    ['prefix.kubernetes.*', 'prefix.kubernetes.io', true],
    ['*-good.kubernetes.io', 'prefix-good.kubernetes.io', true],
    ['*.kubernetes.io/blah', 'prefix.kubernetes.io/blah', true],
    ['prefix.*.io/foo', 'prefix.kubernetes.io/foo/bar', true],
    ['*.kubernetes.io:1111/blah', 'prefix.kubernetes.io:1111/blah', true],
    ['prefix.*.io:1111/foo', 'prefix.kubernetes.io:1111/foo/bar', true],
    ['*.kubernetes.io', 'kubernetes.io', false],
    ['*.*.kubernetes.io', 'prefix.kubernetes.io', false],
    ['*.*.kubernetes.io', 'kubernetes.io', false],
    ['*kubernetes.io', 'a.kubernetes.io', false],
    ['*kubernetes.io', 'kubernetes.io', true],
    ['*.*.*.kubernetes.io', 'a.b.c.kubernetes.io', true],
    ['kubernetes.io', 'kubernetes.com', false],
    ['k*.io', 'quay.io', false],
    ['*.kubernetes.io:1234/blah', 'prefix.kubernetes.io:1111/blah', false],
    ['prefix.*.io/foo', 'prefix.kubernetes.io:1111/foo/bar', false],
    // Further cases.
    ['a*b*c.io', 'aXbYc.io', true],
    ['a*b*c.io', 'aXc.io', false],
    ['ab*bc.io', 'abc.io', false],
    ['[::1]:5000', '[::1]:5000/app', true],
    ['[::1]', '[::1]:5000/app', false],
  ])('%s, %s: %s', (glob, target, expected) => {
    expect(locationMatches(glob, target)).toBe(expected);
  });
});

describe('createKeyring', () => {
  // TestDockerKeyringForGlob of Kubernetes' pkg/credentialprovider.
  it.each([
    ['https://hello.kubernetes.io', 'hello.kubernetes.io/foo/bar'],
    ['https://*.docker.io', 'prefix.docker.io/foo/bar'],
    ['https://prefix.*.io', 'prefix.docker.io/foo/bar'],
    ['https://prefix.docker.*', 'prefix.docker.io/foo/bar'],
    ['https://*.docker.io/path', 'prefix.docker.io/path/foo/bar'],
    ['https://prefix.*.io/path', 'prefix.docker.io/path/subpath/foo/bar'],
    ['https://*.docker.io:8888', 'prefix.docker.io:8888/foo/bar'],
    ['https://*.docker.io/v1/', 'prefix.docker.io/path/foo/bar'],
    ['https://*.docker.io/v2/', 'prefix.docker.io/path/foo/bar'],
    ['http://prefix.docker.io:1111', 'prefix.docker.io:1111/path/foo/bar'],
    ['prefix.docker.io:1111', 'prefix.docker.io:1111/path/foo/bar'],
    ['*.docker.io:1111', 'prefix.docker.io:1111/path/foo/bar'],
    ['gcr.io/project', 'gcr.io/project-2/app'],
  ])('%s is for %s', (location, image) => {
    expect(search(keyringOf(location), image)).toEqual([location]);
  });

  // TestKeyringMiss and TestKeyringMissWithDockerHubCredentials.
  it.each([
    ['https://hello.kubernetes.io', 'world.mesos.org/foo/bar'],
    ['https://*.docker.com', 'prefix.docker.io/foo/bar'],
    ['https://suffix.*.io', 'prefix.docker.io/foo/bar'],
    ['https://prefix.docker.c*', 'prefix.docker.io/foo/bar'],
    ['https://index.docker.io/v1/', 'world.mesos.org/foo/bar'],
    ['https://index.docker.io/v1/', 'myhostdocker.io/foo/bar'],
    ['registry.example/team', 'registry.example/other/app'],
    ['registry.example:443', 'registry.example/app'],
    ['registry.example', 'app'],
  ])('%s is not for %s', (location, image) => {
    expect(search(keyringOf(location), image)).toEqual([]);
  });

  // TestKeyringHitWith… (un)qualified Docker Hub.
  it.each(['google/docker-registry', 'jenkins', 'index.docker.io/google/docker-registry', 'docker.io/library/jenkins'])(
    'has the credentials of index.docker.io for %s',
    (image) => {
      expect(search(keyringOf('https://index.docker.io/v1/'), image)).toEqual(['https://index.docker.io/v1/']);
      expect(search(keyringOf('index.docker.io'), image)).toEqual(['index.docker.io']);
    },
  );

  it('tries the longest path first and a wildcard last', () => {
    const keyring = keyringOf('*.example', 'r.example', 'r.example/a/b', 'r.example/a', 'r.example/c');
    expect(search(keyring, 'r.example/a/b/app')).toEqual(['r.example/a/b', 'r.example/a', 'r.example', '*.example']);
  });

  it('falls back to index.docker.io only if nothing else matches', () => {
    expect(search(keyringOf('index.docker.io', 'docker.io/library'), 'nginx')).toEqual(['docker.io/library']);
  });

  it('keeps the order of several credentials for one location', () => {
    expect(search(keyringOf('https://r.example', 'r.example', 'r.example/v2/'), 'r.example/app')).toEqual([
      'https://r.example',
      'r.example',
      'r.example/v2/',
    ]);
  });

  it('merged keyrings are searched in order', () => {
    const merged = mergeKeyrings(keyringOf('r.example'), createKeyring([], ['a note']), keyringOf('r.example/app'));
    expect(search(merged, 'r.example/app')).toEqual(['r.example', 'r.example/app']);
    expect(merged.notes).toEqual(['a note']);
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

describe('parseDockerConfig', () => {
  it.each<[string, object, object[]]>([
    ['auth', { auth: base64('me:se:cret') }, [{ type: 'basic', username: 'me', password: 'se:cret' }]],
    [
      'auth before username and password',
      { auth: base64('me:secret'), username: 'x', password: 'y' },
      [{ type: 'basic', username: 'me', password: 'secret' }],
    ],
    [
      'auth without padding',
      { auth: base64('me:secret1').replaceAll('=', '') },
      [{ type: 'basic', username: 'me', password: 'secret1' }],
    ],
    ['username', { username: 'me', password: 's', email: 'x@y' }, [{ type: 'basic', username: 'me', password: 's' }]],
    ['identity token', { auth: base64('0:'), identitytoken: 'r' }, [{ type: 'identityToken', token: 'r' }]],
    ['registry token', { registrytoken: 'b' }, [{ type: 'registryToken', token: 'b' }]],
    ['nothing', {}, []],
  ])('reads an entry with %s', (_, auth, credentials) => {
    const expected = credentials.map((credential) => ({
      location: 'r.example',
      credential: { source: 'Secret a/b', ...credential },
    }));
    for (const format of ['dockerconfigjson', 'dockercfg'] as const) {
      const auths = { 'r.example': auth };
      const content = JSON.stringify(format === 'dockercfg' ? auths : { auths });
      expect(parseDockerConfig(content, format, 'Secret a/b')).toEqual({
        kind: 'config',
        entries: expected,
        notes: [],
      });
    }
  });

  it.each([
    ['not JSON', '{"auths": {"r": {"auth": "hunter2'],
    ['not an object', '"hunter2"'],
    ['auths of another type', '{"auths": "hunter2"}'],
    ['a password of another type', '{"auths": {"r": {"password": {"hunter2": 1}}}}'],
    ['auth that is not base64', '{"auths": {"r": {"auth": "hunter2!"}}}'],
    ['auth without a colon', `{"auths": {"r": {"auth": "${base64('hunter2')}"}}}`],
  ])('refuses %s and does not quote it', (_, content) => {
    const parsed = parseDockerConfig(content, 'dockerconfigjson', 'Secret a/b');
    expect(parsed).toEqual({ kind: 'invalid', problem: expect.any(String) as string });
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });

  it('notes credential helpers, which are not run', () => {
    const content = JSON.stringify({ auths: { 'r.example': {} }, credsStore: 'desktop' });
    expect(parseDockerConfig(content, 'dockerconfigjson', 'the file')).toEqual({
      kind: 'config',
      entries: [],
      notes: [expect.stringContaining('credential helpers') as string],
    });
  });
});

describe('createDockerConfigFile', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'docker-config-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('notices that the file has changed, and keeps the last valid content', async () => {
    const path = join(folder, 'config.json');
    const read = createDockerConfigFile(path);
    const write = (username: string) =>
      writeFile(path, JSON.stringify({ auths: { 'r.example': { username, password: 'p' } } }));

    expect((await read()).notes).toEqual([expect.stringContaining('cannot be read: ENOENT')]);

    await write('one');
    const first = await read();
    expect(search(first, 'r.example/app')).toEqual(['one']);
    expect(first.notes).toEqual([]);
    expect(first.candidates(reference('r.example/app'))).toMatchObject([{ isOperators: true }]);

    await write('other');
    expect(search(await read(), 'r.example/app')).toEqual(['other']);

    await writeFile(path, '{');
    const broken = await read();
    expect(search(broken, 'r.example/app')).toEqual(['other']);
    expect(broken.notes).toEqual([expect.stringContaining('invalid: it is not JSON')]);
  });
});
