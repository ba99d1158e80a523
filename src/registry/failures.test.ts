// Each failure message says what to do.
import { expect, it } from 'vitest';
import { helpText } from '../process/config.ts';
import { failFromStatus, failHeaders, failPaused, failPlainHttp, failUnreachable } from './failures.ts';

const context = { image: 'r.example/app:1', registry: 'r.example' };

const failures = [
  failPlainHttp(context, 'r.example'),
  failHeaders(context, 'r.example'),
  failUnreachable(context, 'r.example'),
  failPaused(context, 0),
  ...[401, 403, 404, 408, 418, 429, 500, 503].map((status) => failFromStatus(status, undefined, context, 'r.example')),
];

it('every message names the image and the registry', () => {
  for (const { message } of failures) expect(message).toMatch(/^Cannot resolve r\.example\/app:1: .*r\.example.*\.$/);
});

it('every flag in a message is a flag of the operator', () => {
  const flags = new Set(failures.flatMap(({ message }) => message.match(/--[a-z-]+/g) ?? []));
  expect([...flags].toSorted()).toEqual(['--insecure-registry', '--registry-allow-network', '--registry-ca-file']);
  for (const flag of flags) expect(helpText()).toContain(`  ${flag} `);
});
