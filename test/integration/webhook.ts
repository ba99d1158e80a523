// An admission webhook for the Deployments of one namespace, whose answer a test sets.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { KubeClient, Resource } from '../../src/kube/types.ts';

const WEBHOOKS: Resource = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  namespaced: false,
};

/** What the webhook says of a Deployment, or the HTTP status that it fails with. */
export type Answer = { allowed: true } | { allowed: false; code: number; message: string } | { http: number };

export interface Webhook extends AsyncDisposable {
  readonly name: string;
  /** Also answers what hangs. */
  answer: (answer: Answer) => void;
  /** From now on there is no answer. */
  hang: () => void;
  /** The number of requests that hang. */
  hanging: () => number;
}

export async function startWebhook(admin: KubeClient, namespace: string): Promise<Webhook> {
  let current: Answer | undefined = { allowed: true };
  const waiting = new Set<(answer: Answer) => void>();

  function decide(request: IncomingMessage): Promise<Answer> {
    if (current) return Promise.resolve(current);
    return new Promise((resolve) => {
      waiting.add(resolve);
      request.socket.once('close', () => waiting.delete(resolve));
    });
  }

  const { key, cert } = await makeCertificate();
  const server = createServer({ key, cert }, (request, response) => {
    void decide(request)
      .then((answer) => review(request, answer))
      .then(({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const name = `${namespace}.example.com`;
  const { apiVersion, kind } = WEBHOOKS;
  await admin.create(WEBHOOKS, {
    apiVersion,
    kind,
    metadata: { name },
    webhooks: [
      {
        name,
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        rules: [
          { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] },
        ],
        clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: Buffer.from(cert).toString('base64') },
      },
    ],
  } as never);
  return {
    name,
    answer: (answer) => {
      current = answer;
      for (const give of waiting) give(answer);
      waiting.clear();
    },
    hang: () => {
      current = undefined;
    },
    hanging: () => waiting.size,
    [Symbol.asyncDispose]: async () => {
      await admin.delete(WEBHOOKS, { name });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function review(request: IncomingMessage, answer: Answer): Promise<{ status: number; body: string }> {
  const { request: asked } = JSON.parse(await text(request)) as { request: { uid: string } };
  if ('http' in answer) return { status: answer.http, body: '{}' };
  const { allowed, ...status } = answer;
  const response = { uid: asked.uid, allowed, ...(!allowed && { status }) };
  return {
    status: 200,
    body: JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }),
  };
}

async function makeCertificate(): Promise<{ key: string; cert: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'webhook-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
    await promisify(execFile)('openssl', ['req', '-x509', ...algorithm, ...subject, '-keyout', key, '-out', cert]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}
