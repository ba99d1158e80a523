import { expect, it } from 'vitest';
import { digestsByPlatform } from './manifest.ts';

it('every digest is recorded, also without a platform or with a duplicate one', () => {
  const manifests = [
    { platform: 'linux/amd64', digest: 'sha256:a' },
    { digest: 'sha256:b' },
    { platform: 'linux/amd64', digest: 'sha256:c' },
    { platform: '__proto__', digest: 'sha256:d' },
    { platform: 'constructor', digest: 'sha256:e' },
  ];
  expect(Object.entries(digestsByPlatform(manifests))).toEqual([
    ['linux/amd64', 'sha256:a'],
    ['manifest-1', 'sha256:b'],
    ['manifest-2', 'sha256:c'],
    ['__proto__', 'sha256:d'],
    ['constructor', 'sha256:e'],
  ]);
});
