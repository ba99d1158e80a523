// Runs the real Helm on the chart, with its own folders.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { ensureHelm } from '../kind/tools.ts';

export const root = join(import.meta.dirname, '../..');
export const chart = join(root, 'charts/apprelease-operator');
export const NAME = 'apprelease-operator';
export const NAMESPACE = 'apprelease-system';
/** The newest supported Kubernetes; Helm's default may be older than the chart allows. */
export const KUBE_VERSION = '--kube-version=1.36.0';

/** Values as nested objects. */
export type Values = Readonly<Record<string, unknown>>;

/** An object of any kind, as a template wrote it. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: readonly RoleRule[];
  readonly roleRef?: object;
  readonly subjects?: readonly object[];
}

export interface RoleRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** The fields of the operator's pod, or of the test pod, that the tests check. */
export interface RenderedPodSpec {
  readonly serviceAccountName?: string;
  readonly affinity?: object;
  readonly containers: readonly [RenderedContainer];
  readonly volumes?: readonly object[];
  readonly [field: string]: unknown;
}

export interface RenderedContainer {
  readonly image: string;
  readonly args: readonly string[];
  readonly command?: readonly string[];
  readonly [field: string]: unknown;
}

export interface Helm {
  /** Returns the output. @throws Error with the error output */
  readonly run: (args: readonly string[], values?: Values) => Promise<string>;
  /** The rendered objects for the values, in Helm's order, including hooks. */
  readonly render: (values?: Values, name?: string) => Promise<Rendered[]>;
  /** The error for refused values. */
  readonly refusal: (values: Values) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** Isolated from the user's Helm configuration. Builds Helm first if necessary. */
export async function createHelm(env: Readonly<Record<string, string>> = {}): Promise<Helm> {
  const helm = await ensureHelm();
  const dir = await mkdtemp(join(tmpdir(), 'helm-'));
  const folders = Object.fromEntries(
    ['HELM_CACHE_HOME', 'HELM_CONFIG_HOME', 'HELM_DATA_HOME'].map((name) => [name, join(dir, name)]),
  );
  let files = 0;

  async function run(args: readonly string[], values?: Values): Promise<string> {
    const flags = [];
    if (values) {
      const file = join(dir, `values-${(files += 1)}.yaml`);
      await writeFile(file, JSON.stringify(values));
      flags.push(`--values=${file}`);
    }
    const { stdout } = await promisify(execFile)(helm, [...args, ...flags], {
      env: { PATH: process.env['PATH'] ?? '', HOME: dir, ...folders, ...env },
      maxBuffer: 1 << 26,
    });
    return stdout;
  }

  async function render(values: Values = {}, name = NAME): Promise<Rendered[]> {
    const text = await run(['template', name, chart, `--namespace=${NAMESPACE}`, KUBE_VERSION], values);
    return parseObjects(text);
  }

  return {
    run,
    render,
    refusal: (values) =>
      render(values).then(
        () => 'nothing is wrong',
        (error: unknown) => (error as Error).message,
      ),
    close: () => rm(dir, { recursive: true }),
  };
}

/** The objects of a stream of YAML documents; an error in one is thrown. */
export function parseObjects(text: string): Rendered[] {
  return parseAllDocuments(text, { uniqueKeys: true })
    .map((document) => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS() as Rendered | null;
    })
    .filter((object) => object !== null);
}

/** `Kind namespace/name`, the namespace where it has one. */
export function idOf({ kind, metadata: { namespace, name } }: Rendered): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

export function find(objects: readonly Rendered[], kind: string, name = NAME): Rendered {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name} among ${objects.map(idOf).join(', ')}`);
  return found;
}

/** The pod of the operator's Deployment. */
export function operatorPod(objects: readonly Rendered[], name = NAME): RenderedPodSpec {
  const { template } = find(objects, 'Deployment', name).spec as { template: { spec: RenderedPodSpec } };
  return template.spec;
}

export function isHook({ metadata }: Rendered): boolean {
  return metadata.annotations?.['helm.sh/hook'] !== undefined;
}

/** A values file that enables all optional parts. */
export const EVERYTHING: Values = {
  imagePullSecrets: [{ name: 'regcred' }],
  serviceAccount: { annotations: { 'iam.example.com/role': 'apprelease' } },
  insecureRegistries: ['registry.example.com:5000', 'localhost:5001'],
  registry: { dockerConfig: { secretName: 'registry' }, caBundle: { configMapName: 'ca' } },
  extraArgs: ['--log-level=debug'],
  extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' }],
  extraVolumes: [{ name: 'scratch', emptyDir: {} }],
  extraVolumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
  commonLabels: { team: 'platform' },
  commonAnnotations: { 'example.com/owner': 'platform' },
  podLabels: { 'example.com/sidecar': 'off' },
  podAnnotations: { 'example.com/scrape': 'no' },
  deploymentAnnotations: { 'example.com/reload': 'yes' },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'infra', operator: 'Exists', effect: 'NoSchedule' }],
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
  ],
  priorityClassName: 'system-cluster-critical',
  networkPolicy: { limitEgress: true, metricsFrom: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }] },
  metrics: {
    serviceMonitor: { enabled: true, interval: '30s', labels: { release: 'prometheus' } },
    prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
    dashboard: { enabled: true, annotations: { grafana_folder: 'Platform' } },
  },
};
