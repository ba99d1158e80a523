// Image references are parsed as in the kubelet.
import { describe, expect, it } from 'vitest';
import { apiHost, canonicalName, isDigest, manifestName, parseReference, pinReference } from './reference.ts';
import type { Reference } from './types.ts';

const SHA256 = `sha256:${'f'.repeat(64)}`;
const SHA512 = `sha512:${'f'.repeat(128)}`;

function parseValid(text: string): Reference {
  const parsed = parseReference(text);
  if (parsed.kind === 'invalid') throw new Error(parsed.message);
  return parsed;
}

describe('parseReference', () => {
  // The valid cases of distribution/reference's own tests, normalised as by ParseNormalizedNamed.
  it.each<[text: string, registry: string, repository: string, tag?: string, digest?: string]>([
    ['nginx', 'docker.io', 'library/nginx'],
    ['nginx:1.27', 'docker.io', 'library/nginx', '1.27'],
    ['bitnami/redis:7', 'docker.io', 'bitnami/redis', '7'],
    ['docker.io/nginx', 'docker.io', 'library/nginx'],
    ['index.docker.io/nginx', 'docker.io', 'library/nginx'],
    ['index.docker.io/bitnami/redis', 'docker.io', 'bitnami/redis'],
    ['docker.io/library/nginx@' + SHA256, 'docker.io', 'library/nginx', undefined, SHA256],
    ['localhost/x', 'localhost', 'x'],
    ['localhost:5000/x:y', 'localhost:5000', 'x', 'y'],
    ['test:5000/repo', 'test:5000', 'repo'],
    ['test:5000/repo:tag@' + SHA256, 'test:5000', 'repo', 'tag', SHA256],
    ['test.com/repo:tag', 'test.com', 'repo', 'tag'],
    ['test.com:5000', 'docker.io', 'library/test.com', '5000'],
    ['test_com', 'docker.io', 'library/test_com'],
    ['foo_bar.com:8080', 'docker.io', 'library/foo_bar.com', '8080'],
    ['foo/foo_bar.com:8080', 'docker.io', 'foo/foo_bar.com', '8080'],
    ['lowercase:Uppercase', 'docker.io', 'library/lowercase', 'Uppercase'],
    ['Uppercase/lowercase:tag', 'Uppercase', 'lowercase', 'tag'],
    ['sub-dom1.foo.com/bar/baz/quux:some-long-tag', 'sub-dom1.foo.com', 'bar/baz/quux', 'some-long-tag'],
    ['b.gcr.io/test.example.com/my-app:test.example.com', 'b.gcr.io', 'test.example.com/my-app', 'test.example.com'],
    ['xn--7o8h.com/myimage:xn--7o8h.com@' + SHA512, 'xn--7o8h.com', 'myimage', 'xn--7o8h.com', SHA512],
    ['192.168.1.1', 'docker.io', 'library/192.168.1.1'],
    ['192.168.1.1:5000/repo:5050', '192.168.1.1:5000', 'repo', '5050'],
    ['[2001:db8::1]/repo', '[2001:db8::1]', 'repo'],
    ['[2001:db8::1]:5000/repo:tag@' + SHA256, '[2001:db8::1]:5000', 'repo', 'tag', SHA256],
    ['registry.example/a__b/c---d/e.f', 'registry.example', 'a__b/c---d/e.f'],
  ])('%s', (text, registry, repository, tag, digest) => {
    expect(parseReference(text)).toEqual({
      kind: 'reference',
      text,
      name: expect.any(String) as string,
      registry,
      repository,
      ...(tag && { tag }),
      ...(digest && { digest }),
    });
  });

  it.each([
    ['', 'it is empty'],
    ['nginx :1', 'white space'],
    ['https://test.com/repo:tag', 'leave out the scheme'],
    [':justtag', 'repository is missing'],
    ['@' + SHA256, 'repository is missing'],
    ['f'.repeat(64), 'image ID'],
    ['Uppercase:tag', 'must be lower case'],
    ['test:5000/Uppercase/lowercase:tag', '"Uppercase/lowercase" must be lower case'],
    ['a/'.repeat(128) + 'a:tag', 'longer than 255'],
    [`${'a.'.repeat(128)}example:5000/b`, 'the registry is longer than 259'],
    ['aa/asdf$$^/aa', 'may have lower-case letters'],
    ['a..b', 'may have lower-case letters'],
    ['a/b/', 'may have lower-case letters'],
    ['-bad-.com:80/x', 'not a registry host'],
    ['[fe80::1%eth0]:5000/repo', 'not a registry host'],
    ['[2001:db8::1]', 'not an image reference'],
    ['test.com:port/repo', '"test.com:port" is not a registry host'],
    ['test.com:65536/repo', 'not a registry host'],
    ['[::::]/repo', 'not a registry host'],
    ['repo:', 'the tag ""'],
    ['repo:.tag', 'the tag ".tag"'],
    ['repo:' + 't'.repeat(129), 'must be 1 to 128'],
    ['repo:a:b', 'the tag "a:b"'],
    ['repo@', 'must start with sha256:'],
    ['repo@md5:' + 'f'.repeat(32), 'must start with sha256:'],
    ['repo@sha256:' + 'f'.repeat(34), '64 lower-case hexadecimal digits'],
    ['repo@sha256:' + 'F'.repeat(64), '64 lower-case hexadecimal digits'],
  ])('refuses "%s"', (text, message) => {
    expect(parseReference(text)).toEqual({ kind: 'invalid', message: expect.stringContaining(message) as string });
  });

  it('keeps the message short for a long text', () => {
    const parsed = parseReference('$'.repeat(100_000));
    expect(parsed).toMatchObject({ kind: 'invalid' });
    if (parsed.kind === 'invalid') expect(parsed.message.length).toBeLessThan(500);
  });
});

it('removes terminal control characters from messages', () => {
  const parsed = parseReference('evil\u001b[2J\u202e/image');
  expect(parsed).toMatchObject({ message: expect.stringContaining('"evil\ufffd[2J\ufffd/image"') as string });
});

describe('pinReference', () => {
  it.each([
    ['nginx:1.27', `nginx:1.27@${SHA256}`],
    ['nginx', `nginx@${SHA256}`],
    ['index.docker.io/nginx:1', `index.docker.io/nginx:1@${SHA256}`],
    ['localhost:5000/x:y', `localhost:5000/x:y@${SHA256}`],
    [`repo:tag@${SHA512}`, `repo:tag@${SHA256}`],
  ])('%s', (text, pinned) => {
    expect(pinReference(parseValid(text), SHA256)).toBe(pinned);
  });
});

describe('the request for a reference', () => {
  it('uses the digest, else the tag, else latest', () => {
    expect(manifestName(parseValid('a'))).toBe('latest');
    expect(manifestName(parseValid('a:b'))).toBe('b');
    expect(manifestName(parseValid(`a:b@${SHA256}`))).toBe(SHA256);
  });

  it("uses Docker Hub's API host", () => {
    expect(apiHost(parseValid('nginx'))).toBe('registry-1.docker.io');
    expect(apiHost(parseValid('localhost:5000/nginx'))).toBe('localhost:5000');
    expect(canonicalName(parseValid('nginx'))).toBe('docker.io/library/nginx');
  });
});

describe('isDigest', () => {
  it.each([
    [SHA256, true],
    [SHA512, true],
    [`sha384:${'0'.repeat(96)}`, true],
    [SHA256.toUpperCase(), false],
    [`${SHA256}0`, false],
    ['sha256', false],
    ['', false],
  ])('%s: %s', (text, expected) => {
    expect(isDigest(text)).toBe(expected);
  });
});
