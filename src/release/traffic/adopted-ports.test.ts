import { expect, test } from 'vitest';
import { revision, spec } from '../testing.ts';
import { portMissing } from './adopted-ports.ts';

type Port = { port: number; targetPort?: number | string; protocol?: string };

/** Whether clients of a Service with these ports reach pods with these container ports. */
function missing(port: Port, containers: object, adopted = true): string | undefined {
  const template = { spec: { containers: [{ name: 'main', image: 'web:1.0.0' }], ...containers } };
  const of = revision(1, spec({ template, service: { ports: [{ port: 80, targetPort: 8080 }] } }));
  const service = { metadata: of, spec: { ports: [port] } };
  return portMissing(
    { adopted, serviceName: 'old', service, pools: [] } as unknown as Parameters<typeof portMissing>[0],
    of,
  );
}

const http = { containers: [{ name: 'main', image: 'web:1.0.0', ports: [{ name: 'http', containerPort: 80 }] }] };
const init = (more: object) => ({ initContainers: [{ ...http.containers[0], name: 'side', ...more }] });

test.each<[what: string, port: Port, containers: object, missing: boolean]>([
  ['a number', { port: 80, targetPort: 8080 }, {}, false],
  ['no target port', { port: 80 }, {}, false],
  ['the name of a container port', { port: 80, targetPort: 'http' }, http, false],
  ['the name of a port of a sidecar', { port: 80, targetPort: 'http' }, init({ restartPolicy: 'Always' }), false],
  ['the name of a port of an init container', { port: 80, targetPort: 'http' }, init({}), true],
  ['the name of no port', { port: 80, targetPort: 'web' }, http, true],
  ['the name of a port of another protocol', { port: 80, targetPort: 'http', protocol: 'UDP' }, http, true],
])('an adopted Service with %s', (_what, port, containers, expected) => {
  expect(missing(port, containers) !== undefined).toBe(expected);
});

test('the message names the ports and the way out', () => {
  expect(missing({ port: 80, targetPort: 'web' }, http)).toBe(
    'port 80 of the adopted Service old leads to the TCP port named "web", which no container of version 1.0.0 has (it has: http): name a container port so, or change targetPort of the Service',
  );
  expect(missing({ port: 80, targetPort: 'web' }, http, false)).toBeUndefined();
});
