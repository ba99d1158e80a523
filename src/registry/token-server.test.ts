import { expect, it } from 'vitest';
import { createTokenServerTrust } from './token-server.ts';

it.each([
  ['registry-1.docker.io', 'https://auth.docker.io/token', true],
  ['registry.gitlab.com', 'https://gitlab.com/jwt/auth', true],
  ['registry.corp.internal', 'https://auth.corp.internal/', true],
  ['r.example.co.uk', 'https://auth.example.co.uk/', true],
  ['r.example.co.uk', 'https://other.co.uk/', false],
  ['r.example.com', 'https://example.com.evil.org/', false],
  ['r.example.com', 'https://evilexample.com/', false],
  ['one.github.io', 'https://two.github.io/', false],
  ['10.0.0.1', 'https://10.0.0.2/', false],
  ['10.0.0.1:5000', 'https://10.0.0.1:5001/', true],
  ['[fd00::1]', 'https://[fd00::2]/', false],
  ['registry', 'https://auth/', false],
  ['registry', 'https://registry:5001/', true],
  ['nvcr.io', 'https://authn.nvidia.com/token', true],
  ['nvcr.io', 'https://authn.nvidia.com:8443/token', true],
  ['r.example', 'https://sso.example:8443/', true],
  ['r.example', 'https://sso.example/', false],
])("%s and the token server %s: the operator's own credentials may go there: %s", (registry, realm, expected) => {
  const isTrusted = createTokenServerTrust(['Authn.nvidia.com', 'sso.example:8443']);
  expect(isTrusted(new URL(`https://${registry}/v2/`), new URL(realm))).toBe(expected);
});
