// One control plane, with the operator installed on it, and clients to measure with.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { createClient } from '../../src/kube/client.ts';
import type { KubeClient } from '../../src/kube/types.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { serviceAccountKubeconfig } from '../cluster/kubeconfig.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { addNodes } from '../cluster/nodes.ts';
import { removeWithUs } from '../cluster/processes.ts';
import type { ControlPlane } from '../cluster/types.ts';
import { bareCrd, bareRights } from './bare.ts';
import { NAMESPACE, nodeGroups } from './objects.ts';
import type { OperatorProcess } from './operator.ts';
import { startOperator } from './operator.ts';
import type { Request, RequestLog } from './requests.ts';
import { dispatchedRequests, flowSchema, isStanding, prepareAudit } from './requests.ts';

const root = join(import.meta.dirname, '../..');

/** What the operator is installed as, by the manifests. */
const OPERATOR = { namespace: 'apprelease-system', name: 'apprelease-operator' };

/** Ten times a cluster's usual limits: with 20 requests/s the controller manager's own queue would be measured. */
export const RAISED_FLAGS = [
  '--kube-api-qps=1000',
  '--kube-api-burst=2000',
  '--concurrent-deployment-syncs=20',
  '--concurrent-replicaset-syncs=20',
  '--concurrent-service-endpoint-syncs=20',
  '--concurrent-endpoint-syncs=20',
];
const SCHEDULER_FLAGS = ['--kube-api-qps=1000', '--kube-api-burst=2000'];

export interface Environment {
  controlPlane: ControlPlane;
  /** As a cluster's administrator. */
  admin: KubeClient;
  /** With the operator's token, so in the operator's flow. */
  asOperator: KubeClient;
  operator: OperatorProcess;
  requests: RequestLog;
  /** Of the API server's metrics. */
  dispatched: () => Promise<number>;
  /** Of the memory, one each second. */
  samples: number;
  say: (line: string) => void;
  stop: () => Promise<void>;
}

export interface EnvironmentOptions {
  bundle?: string;
  profileDir?: string;
  samples: number;
  say: (line: string) => void;
}

/** Starts everything; what was started is stopped when a later part fails. */
export async function prepare(options: EnvironmentOptions): Promise<Environment> {
  const { say, samples } = options;
  const dir = await mkdtemp(join(tmpdir(), 'bench-'));
  const keepDir = await removeWithUs(dir);
  const stops = [keepDir, () => rm(dir, { recursive: true, force: true })];
  const stop = async () => {
    while (stops.length > 0) await stops.pop()?.();
  };
  try {
    say('starting the control plane');
    const audit = await prepareAudit(dir, `system:serviceaccount:${OPERATOR.namespace}:${OPERATOR.name}`);
    const controlPlane = await startControlPlane({
      dir,
      flags: {
        'kube-apiserver': audit.flags,
        'kube-controller-manager': RAISED_FLAGS,
        'kube-scheduler': SCHEDULER_FLAGS,
      },
    });
    stops.push(() => controlPlane.stop());
    await addNodes(controlPlane, ...nodeGroups);
    say('installing the operator');
    const kubeconfig = await install(controlPlane, dir);
    const operator = await startOperator({
      kubeconfig,
      leaseNamespace: OPERATOR.namespace,
      logFile: join(dir, 'operator.log'),
      ...(options.bundle !== undefined && { bundle: options.bundle }),
      ...(options.profileDir !== undefined && { profileDir: options.profileDir }),
    });
    stops.push(operator.stop);
    const admin = clientOf(controlPlane.kubeconfigPath);
    const asOperator = clientOf(kubeconfig);
    stops.push(admin.close, asOperator.close);
    const dispatched = async () => dispatchedRequests(await controlPlane.kubectl(['get', '--raw', '/metrics']));
    return { controlPlane, admin, asOperator, operator, requests: audit.log, dispatched, samples, say, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As users install it; returns the kubeconfig of its service account. */
async function install(controlPlane: ControlPlane, dir: string): Promise<string> {
  const kubectl: ControlPlane['kubectl'] = (args, given) => controlPlane.kubectl(args, given);
  await installCrds(controlPlane);
  await kubectl(['apply', '--server-side', '-k', join(root, 'manifests')]);
  // Its simulated pods would do nothing: the operator runs beside the cluster, where it can be looked at.
  await kubectl(['scale', `deployment/${OPERATOR.name}`, `--namespace=${OPERATOR.namespace}`, '--replicas=0']);
  await kubectl(['create', 'namespace', NAMESPACE]);
  const bare = { apiVersion: 'v1', kind: 'List', items: [bareCrd(), ...bareRights(OPERATOR)] };
  await kubectl(['apply', '--server-side', '-f', '-'], { input: JSON.stringify(bare) });
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify(flowSchema(OPERATOR.namespace, OPERATOR.name)) });
  return serviceAccountKubeconfig(controlPlane, { ...OPERATOR, path: join(dir, 'operator.kubeconfig'), seconds: 7200 });
}

function clientOf(kubeconfig: string): KubeClient {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return createClient(config, { timeoutMs: 60_000, userAgent: 'bench' });
}

const QUIET_MS = 3_000;

/**
 * Everything that the operator asked since the last call, once it has asked nothing but its watches and its lease for
 * three seconds; events and marks come after the work.
 */
export async function settledRequests({ requests }: Pick<Environment, 'requests'>): Promise<Request[]> {
  const all: Request[] = [];
  let quietSince = performance.now();
  while (performance.now() - quietSince < QUIET_MS) {
    await delay(500);
    const more = await requests.take();
    all.push(...more);
    if (more.some((request) => !isStanding(request))) quietSince = performance.now();
  }
  return all.filter((request) => !isStanding(request));
}
