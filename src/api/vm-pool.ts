import * as z from 'zod';
import type { KindDefinition, ObjectMeta } from './common.ts';
import { conditions, observedGeneration, stringMap, timestamp } from './common.ts';
import { mapByName, toleration } from './pod-template.ts';

const labelSelector = z
  .object({
    matchLabels: stringMap.optional().meta({ description: 'Labels that a namespace must have.' }),
    matchExpressions: z
      .array(
        z.object({
          key: z.string().min(1).max(317).meta({ description: 'The label.' }),
          operator: z
            .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
            .meta({ description: 'How the label is compared.' }),
          values: z.array(z.string().max(63)).max(64).optional().meta({ description: 'The values, for In and NotIn.' }),
        }),
      )
      .max(16)
      .optional()
      .meta({ description: 'Further requirements; all must hold.' }),
  })
  .meta({ description: 'Selects namespaces by their labels.' });

const tenants = z
  .object({
    namespaces: z
      .array(z.string().min(1).max(63))
      .max(256)
      .optional()
      .meta({ description: 'Namespaces by name.', 'x-kubernetes-list-type': 'set' }),
    namespaceSelector: labelSelector.optional(),
  })
  .meta({
    description:
      'The namespaces whose pods may run on the pool, by name or by labels. Default: all namespaces. Admission keeps out the pods of other namespaces.',
    'x-kubernetes-validations': [
      {
        rule: 'has(self.namespaces) || has(self.namespaceSelector)',
        message: 'give namespaces, namespaceSelector or both; to admit no namespace give namespaces: []',
      },
    ],
  });
export type Tenants = z.infer<typeof tenants>;

/** The default of spec.maintenance.minRemaining. */
export const LEAST_REMAINING = '50%';

const maintenance = z
  .object({
    reason: z.string().min(1).max(256).meta({ description: 'Why, for people.' }),
    minRemaining: z
      .string()
      .regex(/^(100|[0-9]{1,2})%$/)
      .default(LEAST_REMAINING)
      .meta({
        description:
          'The traffic of a release leaves the pool only while this part of its wanted pods is ready in pools that are not in maintenance.',
        'x-kubernetes-validations': [
          {
            rule: "self.matches('^(100|[0-9]{1,2})%$')",
            message: 'must be a percentage from 0% to 100%, such as 50%',
          },
        ],
      }),
    force: z
      .boolean()
      .default(false)
      .meta({ description: 'Take the traffic of every release away, whatever remains in other pools.' }),
  })
  .meta({
    description:
      'Empties the pool of routed traffic: no version enters it, and the routes of releases take its weight away within a minute. The pods stay. The condition Evacuated says when the VMs may be worked on.',
  });

export const vmPoolSpec = z
  .object({
    nodeSelector: stringMap.optional().meta({
      description:
        'The labels of the pool’s nodes. Default: the cloud’s label for node pools, with the name of this VMPool as its value.',
      'x-kubernetes-validations': [
        { rule: 'self.size() > 0', message: 'name at least one label, or leave nodeSelector out' },
      ],
    }),
    tolerations: z
      .array(toleration)
      .max(32)
      .optional()
      .meta({ description: 'Tolerations for the taints of the pool’s nodes. Releases on the pool get them.' }),
    tenants: tenants.optional(),
    maintenance: maintenance.optional(),
  })
  .meta({ description: 'The VMs of the pool, and its tenants.' });
export type VmPoolSpec = z.infer<typeof vmPoolSpec>;

const amounts = z.object({
  cpu: z.string().optional().meta({ description: 'Cores.' }),
  memory: z.string().optional().meta({ description: 'Bytes.' }),
  pods: z.string().optional().meta({ description: 'Pods.' }),
});

function amountsOf(description: string) {
  return amounts.optional().meta({ description });
}

function counted(description: string) {
  return z
    .array(
      z.object({
        name: z.string().max(256).meta({ description: 'The name and version.' }),
        nodes: z.int().meta({ description: 'The number of VMs that run it.' }),
      }),
    )
    .max(16)
    .optional()
    .meta({ description, ...mapByName });
}

export const vmPoolStatus = z
  .object({
    observedGeneration,
    conditions,
    poolLabel: z.string().optional().meta({
      description: 'The cloud’s label that names this pool; kept while the pool is scaled to zero.',
    }),
    nodes: z
      .object({
        total: z.int().meta({ description: 'VMs of the pool.' }),
        ready: z.int().meta({ description: 'Ready, and open to new pods.' }),
        draining: z.int().meta({ description: 'VMs that are cordoned or being removed.' }),
        notReady: z.int().meta({
          description: 'The other VMs: their kubelet does not report Ready. total = ready + draining + notReady.',
        }),
        zones: z
          .array(
            z.object({
              name: z
                .string()
                .max(256)
                .meta({ description: 'The zone (topology.kubernetes.io/zone); empty if the VM names none.' }),
              total: z.int().meta({ description: 'VMs in the zone.' }),
              ready: z.int().meta({ description: 'Ready, and open to new pods.' }),
            }),
          )
          .max(32)
          .optional()
          .meta({ description: 'The VMs by zone.', ...mapByName }),
      })
      .optional()
      .meta({ description: 'The VMs.' }),
    readyNodes: z.string().optional().meta({ description: 'The number of ready VMs, and of all VMs.' }),
    pods: z.int().optional().meta({ description: 'Pods on the VMs that have not ended.' }),
    capacity: amountsOf('The resources of the VMs.'),
    allocatable: amountsOf('The resources for pods.'),
    requested: amountsOf('The requests of the pods, by the scheduler’s rules.'),
    limits: amountsOf('The limits of the pods that have limits.'),
    overhead: amountsOf('capacity − allocatable: reserved for system and kubelet.'),
    waste: amountsOf('allocatable − requested: paid for and requested by no pod.'),
    density: z
      .object({
        podsPerNode: z.string().meta({ description: 'Pods per VM.' }),
        podsPerGiB: z.string().optional().meta({ description: 'Pods per GiB of requested memory.' }),
      })
      .optional()
      .meta({ description: 'How densely the VMs are used.' }),
    cpuRequested: z.string().optional().meta({ description: 'Requested cores, in percent of the allocatable cores.' }),
    memoryRequested: z
      .string()
      .optional()
      .meta({ description: 'Requested memory, in percent of the allocatable memory.' }),
    osImages: counted('Operating systems.'),
    kernels: counted('Kernels.'),
    kubelets: counted('Kubelets.'),
    containerRuntimes: counted('Container runtimes.'),
    architectures: counted('Architectures.'),
    os: z.string().optional().meta({ description: 'The operating system of most VMs, and the number of others.' }),
    kernel: z.string().optional().meta({ description: 'The kernel of most VMs, and the number of others.' }),
    kubelet: z.string().optional().meta({ description: 'The kubelet of most VMs, and the number of others.' }),
    oldestBoots: z
      .array(
        z.object({
          node: z.string().max(253).meta({ description: 'The VM.' }),
          bootID: z.string().max(256).meta({ description: 'The ID of the VM’s current boot.' }),
          seenAt: timestamp.meta({
            description: 'When the operator first saw that boot. The VM runs at least since then.',
          }),
        }),
      )
      .max(16)
      .optional()
      .meta({
        description: 'The 16 VMs with the longest time since their last boot, the longest first.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['node'],
      }),
    releases: z
      .array(
        z.object({
          namespace: z.string().meta({ description: 'The namespace.' }),
          name: z.string().meta({ description: 'The AppRelease.' }),
          versions: z.array(z.string()).max(8).meta({ description: 'The versions with pods here.' }),
          pods: z.int().meta({ description: 'The number of their pods here.' }),
        }),
      )
      .max(128)
      .optional()
      .meta({
        description: 'The AppReleases with pods on the VMs; the first 128 by name.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['namespace', 'name'],
      }),
    tenants: z.string().optional().meta({ description: 'A summary of the tenants.' }),
  })
  .meta({ description: 'The observed state. Only the operator writes it.' });
export type VmPoolStatus = z.infer<typeof vmPoolStatus>;

export interface VmPool {
  metadata: Omit<ObjectMeta, 'namespace'>;
  spec: VmPoolSpec;
  status?: VmPoolStatus;
}

export const vmPoolKind: KindDefinition = {
  kind: 'VMPool',
  plural: 'vmpools',
  singular: 'vmpool',
  shortNames: ['vmp'],
  scope: 'Cluster',
  description:
    'A VMPool names virtual machines that belong together. Its status shows their resources, pods and systems.',
  spec: vmPoolSpec,
  status: vmPoolStatus,
  rules: [
    {
      rule: "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: 'metadata.name must be a DNS label of at most 63 characters: it is the value of the cloud’s label',
    },
  ],
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.readyNodes',
      description: 'The number of ready VMs, and of all VMs.',
    },
    {
      name: 'Draining',
      type: 'integer',
      jsonPath: '.status.nodes.draining',
      description: 'VMs that are cordoned or being removed.',
    },
    { name: 'Pods', type: 'integer', jsonPath: '.status.pods', description: 'Pods on the VMs.' },
    { name: 'CPU%', type: 'string', jsonPath: '.status.cpuRequested', description: 'Requested cores.' },
    { name: 'Mem%', type: 'string', jsonPath: '.status.memoryRequested', description: 'Requested memory.' },
    { name: 'OS', type: 'string', jsonPath: '.status.os', description: 'The operating system of most VMs.' },
    { name: 'Kubelet', type: 'string', jsonPath: '.status.kubelet', description: 'The kubelet of most VMs.' },
    { name: 'Tenants', type: 'string', jsonPath: '.status.tenants', description: 'The tenants.' },
    {
      name: 'Kernel',
      type: 'string',
      jsonPath: '.status.kernel',
      description: 'The kernel of most VMs.',
      priority: 1,
    },
    {
      name: 'Skewed',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Skewed")].status',
      description: 'Whether the VMs run different systems.',
      priority: 1,
    },
    {
      name: 'Overlapping',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Overlapping")].status',
      description: 'Whether another VMPool matches some of the VMs.',
      priority: 1,
    },
    {
      name: 'Evacuated',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Evacuated")].reason',
      description: 'Whether the pool is in maintenance, and its routed traffic is away.',
      priority: 1,
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When the object was created.' },
  ],
};
