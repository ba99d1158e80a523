// Random valid pod templates in unusual notations, which the API server often stores in another form.
import fc from 'fast-check';
import type { PodTemplate } from '../../src/api/app-release.ts';

/** An optional field, which may also be null with the same meaning. */
function maybe<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> {
  return fc.oneof(
    { weight: 3, arbitrary: value },
    { weight: 2, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
}

/** Optional fields. */
function some(fields: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, maybe(value)])));
}

/** The first items of a list with keys. */
function each<T>(items: readonly fc.Arbitrary<T>[]): fc.Arbitrary<T[]> {
  return fc
    .array(fc.boolean(), { minLength: items.length, maxLength: items.length })
    .chain((taken) => fc.tuple(...items.filter((_item, index) => taken[index])));
}

const cpu = fc.constantFrom('1000m', '1', '0.1', '100m', '1500m', '2.0', '1e0', 1, 2, '0');
const memory = fc.constantFrom('1024Mi', '1Gi', '1.5Gi', '1000M', '64e6', '0.5Gi', 134217728, '1048576Ki');
const millions = fc.constantFrom(0, 1, 5, 30, 3600);
const uid = fc.constantFrom(0, 1, 1000, 65534);

const securityContext = some({
  runAsUser: uid,
  runAsNonRoot: fc.constant(false),
  readOnlyRootFilesystem: fc.boolean(),
  allowPrivilegeEscalation: fc.boolean(),
  capabilities: some({
    add: fc.constantFrom([], ['NET_ADMIN'], ['SYS_TIME', 'NET_RAW']),
    drop: fc.constantFrom([], ['ALL']),
  }),
  seccompProfile: fc.constantFrom(
    { type: 'RuntimeDefault' },
    { type: 'Localhost', localhostProfile: 'profiles/web.json' },
  ),
});

const probe = fc
  .tuple(
    fc.constantFrom<object>(
      { httpGet: { port: 8080 } },
      { httpGet: { path: '', port: 'http', scheme: 'HTTP', httpHeaders: [{ name: 'Host', value: 'web' }] } },
      { httpGet: { path: '/', port: 8080, httpHeaders: [] } },
      { tcpSocket: { port: 'http' } },
      { exec: { command: ['true'] } },
      { grpc: { port: 8080 } },
      { grpc: { port: 8080, service: '' } },
    ),
    some({ initialDelaySeconds: millions, periodSeconds: millions, failureThreshold: fc.constantFrom(0, 3) }),
  )
  .map(([handler, times]) => ({ ...handler, ...times }));

const env = each<object>([
  fc.constantFrom({ name: 'EMPTY', value: '' }, { name: 'EMPTY' }, { name: 'EMPTY', value: null }),
  fc.constant({ name: 'SELF', value: '$(EMPTY)-x' }),
  fc.constantFrom(
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'POD', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
  ),
  fc.constantFrom(
    { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
    { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '0' } } },
    {
      name: 'CPU',
      valueFrom: { resourceFieldRef: { containerName: 'web', resource: 'limits.cpu', divisor: '1000m' } },
    },
  ),
  fc.constantFrom(
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'a' } } },
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'a', optional: false } } },
  ),
]);

const VOLUMES: readonly (readonly [name: string, sources: readonly object[]])[] = [
  ['empty', [{ emptyDir: {} }, { emptyDir: { sizeLimit: '1024Mi' } }, { emptyDir: { medium: '', sizeLimit: null } }]],
  [
    'config',
    [
      { configMap: { name: 'c' } },
      { configMap: { name: 'c', items: [], optional: false } },
      { configMap: { name: 'c', defaultMode: 0, items: [{ key: 'a', path: 'a', mode: 0 }] } },
    ],
  ],
  ['secret', [{ secret: { secretName: 's' } }, { secret: { secretName: 's', defaultMode: 256, optional: false } }]],
  ['pod', [{ downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } }]],
  [
    'all',
    [
      { projected: { sources: [] } },
      {
        projected: {
          sources: [
            { serviceAccountToken: { path: 'token' } },
            { configMap: { name: 'c' } },
            { serviceAccountToken: { audience: '', expirationSeconds: 3600, path: 'other' } },
          ],
        },
      },
    ],
  ],
  ['host', [{ hostPath: { path: '/var' } }, { hostPath: { path: '/var', type: 'Directory' } }]],
  [
    'claim',
    [{ persistentVolumeClaim: { claimName: 'p' } }, { persistentVolumeClaim: { claimName: 'p', readOnly: false } }],
  ],
  [
    'csi',
    [{ csi: { driver: 'd.example.com' } }, { csi: { driver: 'd.example.com', readOnly: false, volumeAttributes: {} } }],
  ],
  ['nfs', [{ nfs: { server: 'n', path: '/', readOnly: false } }]],
  [
    'own',
    [
      {
        ephemeral: {
          volumeClaimTemplate: {
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1024Mi' } } },
          },
        },
      },
    ],
  ],
];

const volumes = each(
  VOLUMES.map(([name, sources]) => fc.constantFrom(...sources).map((source) => ({ name, ...source }))),
);

function mountsOf(found: readonly { name: string }[]): fc.Arbitrary<object[]> {
  return each(
    found.map(({ name }) =>
      some({ readOnly: fc.boolean(), subPath: fc.constantFrom('', 'a'), mountPropagation: fc.constant('None') }).map(
        (more) => ({ name, mountPath: `/mnt/${name}`, ...more }),
      ),
    ),
  );
}

function container(name: string, found: readonly { name: string }[]): fc.Arbitrary<Record<string, unknown>> {
  const main = name === 'web';
  return fc
    .record({
      image: fc.constantFrom('registry.test/web:1', 'registry.test/web', 'web'),
      ports: main
        ? fc.constantFrom<object[]>(
            [{ name: 'http', containerPort: 8080 }],
            [
              { name: 'http', containerPort: 8080, protocol: 'TCP' },
              { containerPort: 8080, protocol: 'UDP', hostPort: 0 },
            ],
          )
        : fc.constant([]),
      more: some({
        imagePullPolicy: fc.constantFrom('Always', 'Never', 'IfNotPresent'),
        command: fc.constantFrom([], ['web']),
        args: fc.constantFrom([], ['--x'], ['']),
        env,
        envFrom: fc.constantFrom(
          [],
          [{ configMapRef: { name: 'c' } }, { prefix: '', secretRef: { name: 's', optional: false } }],
        ),
        workingDir: fc.constantFrom('', '/'),
        stdin: fc.boolean(),
        tty: fc.constant(false),
        terminationMessagePolicy: fc.constantFrom('File', 'FallbackToLogsOnError'),
        volumeMounts: mountsOf(found),
        securityContext,
      }),
      limits: fc.constantFrom(undefined, null, {}, 'both', 'limits'),
      cpu,
      memory,
      probes: main
        ? some({ livenessProbe: probe, readinessProbe: probe, startupProbe: probe, lifecycle: lifecycle() })
        : fc.constant({}),
    })
    .map(({ more, limits, probes, ...own }) => ({
      name,
      image: own.image,
      ports: own.ports,
      ...more,
      ...probes,
      ...(limits !== undefined && { resources: resourcesOf(limits, own) }),
    }));
}

function resourcesOf(limits: null | object | string, own: { cpu: string | number; memory: string | number }): unknown {
  if (typeof limits !== 'string') return limits;
  const amounts = { cpu: own.cpu, memory: own.memory };
  return limits === 'both' ? { limits: amounts, requests: amounts } : { limits: amounts, requests: {} };
}

function lifecycle(): fc.Arbitrary<object> {
  return fc.constantFrom<object>(
    {},
    { preStop: { sleep: { seconds: 5 } } },
    { preStop: { exec: { command: ['sleep', '1'] } }, postStart: { httpGet: { port: 8080 } } },
  );
}

const affinity = fc.constantFrom<object>(
  {},
  { nodeAffinity: {} },
  {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, podAffinityTerm: { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'web' } } } },
      ],
    },
  },
  {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '2'] }] }],
      },
    },
  },
);

const spread = fc.constantFrom<object[]>(
  [],
  [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
  [
    {
      maxSkew: 2,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule',
      minDomains: 1,
      labelSelector: { matchLabels: { app: 'web' }, matchExpressions: [] },
      matchLabelKeys: ['pod-template-hash'],
    },
    { maxSkew: 1, topologyKey: 'host', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: {} },
  ],
);

const podFields = some({
  affinity,
  topologySpreadConstraints: spread,
  tolerations: fc.constantFrom<object[]>(
    [],
    [{ operator: 'Exists' }],
    [
      { key: 'a', value: '', effect: 'NoSchedule' },
      { key: 'b', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 0 },
    ],
  ),
  nodeSelector: fc.constantFrom({}, { disk: 'ssd' }),
  imagePullSecrets: fc.constantFrom<object[]>([], [{ name: 's' }], [{ name: 's' }, { name: 't' }]),
  hostAliases: fc.constantFrom<object[]>([], [{ ip: '127.0.0.1', hostnames: ['a', 'b'] }]),
  securityContext: some({
    runAsUser: uid,
    fsGroup: uid,
    supplementalGroups: fc.constantFrom([], [1, 2]),
    sysctls: fc.constantFrom([], [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }]),
    fsGroupChangePolicy: fc.constantFrom('Always', 'OnRootMismatch'),
  }),
  serviceAccountName: fc.constantFrom('', 'web'),
  automountServiceAccountToken: fc.boolean(),
  enableServiceLinks: fc.boolean(),
  shareProcessNamespace: fc.boolean(),
  hostNetwork: fc.constant(false),
  hostPID: fc.constant(false),
  dnsPolicy: fc.constantFrom('ClusterFirst', 'Default'),
  dnsConfig: fc.constantFrom<object>({}, { searches: [], options: [{ name: 'ndots', value: '1' }, { name: 'x' }] }),
  terminationGracePeriodSeconds: millions,
  restartPolicy: fc.constant('Always'),
  hostname: fc.constantFrom('', 'web'),
  subdomain: fc.constantFrom('', 'web'),
  priorityClassName: fc.constant(''),
  schedulerName: fc.constantFrom('', 'default-scheduler'),
  readinessGates: fc.constantFrom<object[]>([], [{ conditionType: 'example.com/ready' }]),
});

export const podTemplates: fc.Arbitrary<PodTemplate> = volumes
  .chain((found) =>
    fc.record({
      volumes: fc.constantFrom(found),
      containers: fc.tuple(container('web', found)),
      more: fc.array(container('helper', found), { maxLength: 1 }),
      initContainers: fc.array(container('setup', found), { maxLength: 1 }),
      pod: podFields,
      labels: fc.constantFrom({ app: 'web' }, { app: 'web', empty: '' }),
      annotations: fc.constantFrom({}, { 'example.com/note': '' }, { 'example.com/note': ' a\n' }),
    }),
  )
  .map(({ containers, more, labels, annotations, pod, ...lists }) => ({
    metadata: { labels, annotations },
    spec: { ...pod, ...lists, containers: [...containers, ...more] },
  })) as fc.Arbitrary<unknown> as fc.Arbitrary<PodTemplate>;
