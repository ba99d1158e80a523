import { expect, test } from 'vitest';
import { apiServersOf } from './registry.ts';

test.each([
  [undefined, {}, []],
  ['https://127.0.0.1:6443', {}, [{ host: '127.0.0.1', port: 6443 }]],
  ['https://Api.Example', {}, [{ host: 'api.example', port: 443 }]],
  ['https://[fd00::1]:6443', {}, [{ host: 'fd00::1', port: 6443 }]],
  [undefined, { KUBERNETES_SERVICE_HOST: '10.96.0.1' }, [{ host: '10.96.0.1', port: 443 }]],
  [
    'https://10.96.0.1:443',
    { KUBERNETES_SERVICE_HOST: 'API.example', KUBERNETES_SERVICE_PORT: '8443' },
    [
      { host: '10.96.0.1', port: 443 },
      { host: 'api.example', port: 8443 },
    ],
  ],
])('the API server of %s and %j', (server, environment, expected) => {
  expect(apiServersOf(server, environment)).toEqual(expected);
});
