// Each failure message says what to do.
import { expect, it } from 'vitest';
import { helpText } from '../process/config.ts';
import { failFromError, failFromStatus, failPaused, failPlainHttp, failTimeout } from './failures.ts';

const context = { image: 'r.example/app:1', registry: 'r.example' };

function withCode(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const failures = [
  failPlainHttp(context, 'r.example'),
  failTimeout(context, 'r.example'),
  failPaused(context, 0),
  ...[401, 403, 404, 408, 418, 429, 500, 503].map((status) => failFromStatus(status, undefined, context, 'r.example')),
  ...['ECONNREFUSED', 'ENOTFOUND', 'ERR_SSL_WRONG_VERSION_NUMBER', 'SELF_SIGNED_CERT_IN_CHAIN'].map((code) =>
    failFromError(withCode(code), context, 'r.example'),
  ),
];

it('every message names the image and the registry', () => {
  for (const { message } of failures) expect(message).toMatch(/^Cannot resolve r\.example\/app:1: .*r\.example.*\.$/);
});

it('every flag in a message is a flag of the operator', () => {
  const flags = new Set(failures.flatMap(({ message }) => message.match(/--[a-z-]+/g) ?? []));
  expect([...flags].toSorted()).toEqual(['--insecure-registry', '--registry-ca-file']);
  for (const flag of flags) expect(helpText()).toContain(`  ${flag} `);
});
