import * as z from 'zod';
import type { KindDefinition, ObjectMeta } from './common.ts';
import { conditions, stringMap, timestamp } from './common.ts';
import { mapByName, toleration } from './pod-template.ts';

const labelSelector = z
  .object({
    matchLabels: stringMap.optional().meta({ description: 'Labels that a namespace must carry.' }),
    matchExpressions: z
      .array(
        z.object({
          key: z.string().min(1).max(317).meta({ description: 'The label.' }),
          operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).meta({ description: 'How it is compared.' }),
          values: z
            .array(z.string().max(63))
            .max(64)
            .optional()
            .meta({ description: 'With In and NotIn: the values.' }),
        }),
      )
      .max(16)
      .optional()
      .meta({ description: 'Further requirements; all must hold.' }),
  })
  .meta({ description: 'Namespaces by their labels, as everywhere in Kubernetes.' });

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
      'Whose pods may run on the pool: those of the namespaces that are named or selected. Left out: everybody’s. Admission keeps all others out.',
    'x-kubernetes-validations': [
      {
        rule: 'has(self.namespaces) || has(self.namespaceSelector)',
        message: 'give namespaces, namespaceSelector or both; to keep everybody out give namespaces: []',
      },
    ],
  });
export type Tenants = z.infer<typeof tenants>;

export const vmPoolSpec = z
  .object({
    nodeSelector: stringMap.optional().meta({
      description:
        'Labels that the pool’s nodes carry. Default: the label by which the cloud names a node’s pool, where its value is the name of this VMPool.',
      'x-kubernetes-validations': [
        { rule: 'self.size() > 0', message: 'name at least one label, or leave nodeSelector out' },
      ],
    }),
    tolerations: z
      .array(toleration)
      .max(32)
      .optional()
      .meta({ description: 'Tolerations of the taints that the pool’s nodes carry: releases on it get them.' }),
    tenants: tenants.optional(),
  })
  .meta({ description: 'Which VMs belong together, and to whom.' });
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
        name: z.string().max(256).meta({ description: 'What they run.' }),
        nodes: z.int().meta({ description: 'How many VMs run it.' }),
      }),
    )
    .max(16)
    .optional()
    .meta({ description, ...mapByName });
}

export const vmPoolStatus = z
  .object({
    observedGeneration: z.int().optional().meta({ description: 'The generation that this status speaks of.' }),
    conditions,
    poolLabel: z.string().optional().meta({
      description: 'The cloud’s label that was found to name this pool; kept when the pool is scaled to zero.',
    }),
    nodes: z
      .object({
        total: z.int().meta({ description: 'VMs of the pool.' }),
        ready: z.int().meta({ description: 'Ready, and open to new pods.' }),
        draining: z.int().meta({ description: 'Cordoned, or on their way out.' }),
        notReady: z.int().meta({
          description: 'The others: whose kubelet does not report that it is ready. The three make the total.',
        }),
        zones: z
          .array(
            z.object({
              name: z
                .string()
                .max(256)
                .meta({ description: 'The zone (topology.kubernetes.io/zone); empty: none is named.' }),
              total: z.int().meta({ description: 'VMs in it.' }),
              ready: z.int().meta({ description: 'Ready, and open to new pods.' }),
            }),
          )
          .max(32)
          .optional()
          .meta({ description: 'By zone.', ...mapByName }),
      })
      .optional()
      .meta({ description: 'The VMs.' }),
    readyNodes: z.string().optional().meta({ description: 'VMs that are ready, of all.' }),
    pods: z.int().optional().meta({ description: 'Pods that take room on them.' }),
    capacity: amountsOf('What the VMs have.'),
    allocatable: amountsOf('What they leave to pods.'),
    requested: amountsOf('What the pods on them ask for, by the scheduler’s rules.'),
    limits: amountsOf('What the pods on them may use at most, where they have limits.'),
    overhead: amountsOf('capacity − allocatable: what the VMs keep for system and kubelet.'),
    waste: amountsOf('allocatable − requested: what is paid for and asked for by nobody.'),
    density: z
      .object({
        podsPerNode: z.string().meta({ description: 'Pods per VM.' }),
        podsPerGiB: z.string().optional().meta({ description: 'Pods per GiB of memory that they ask for.' }),
      })
      .optional()
      .meta({ description: 'How densely the VMs are used.' }),
    cpuRequested: z.string().optional().meta({ description: 'Of the allocatable cores, in percent.' }),
    memoryRequested: z.string().optional().meta({ description: 'Of the allocatable memory, in percent.' }),
    osImages: counted('Operating systems.'),
    kernels: counted('Kernels.'),
    kubelets: counted('Kubelets.'),
    containerRuntimes: counted('Container runtimes.'),
    architectures: counted('Architectures.'),
    os: z.string().optional().meta({ description: 'The operating system of most VMs, and how many others there are.' }),
    kernel: z.string().optional().meta({ description: 'The kernel of most VMs, and how many others there are.' }),
    kubelet: z.string().optional().meta({ description: 'The kubelet of most VMs, and how many others there are.' }),
    oldestBoots: z
      .array(
        z.object({
          node: z.string().max(253).meta({ description: 'The VM.' }),
          bootID: z.string().max(256).meta({ description: 'Which boot of it.' }),
          seenAt: timestamp.meta({ description: 'When that boot was first seen: it runs at least since then.' }),
        }),
      )
      .max(16)
      .optional()
      .meta({
        description: 'The VMs that run longest without a boot, the longest first; of those, 16.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['node'],
      }),
    releases: z
      .array(
        z.object({
          namespace: z.string().meta({ description: 'The namespace.' }),
          name: z.string().meta({ description: 'The AppRelease.' }),
          versions: z.array(z.string()).max(8).meta({ description: 'The versions of which pods run here.' }),
          pods: z.int().meta({ description: 'Their pods here.' }),
        }),
      )
      .max(128)
      .optional()
      .meta({
        description: 'The AppReleases with pods on it; the first 128 by name.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['namespace', 'name'],
      }),
    tenants: z.string().optional().meta({ description: 'Whose it is, in short.' }),
  })
  .meta({ description: 'What is so: a projection, written by the operator alone.' });
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
    'A VMPool names virtual machines that belong together: what runs on them, what they have, and whose they are.',
  spec: vmPoolSpec,
  status: vmPoolStatus,
  rules: [
    {
      rule: "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: 'metadata.name must be a DNS label of at most 63 characters: it is the value of the cloud’s label',
    },
  ],
  columns: [
    { name: 'Ready', type: 'string', jsonPath: '.status.readyNodes', description: 'VMs that are ready, of all.' },
    { name: 'Draining', type: 'integer', jsonPath: '.status.nodes.draining', description: 'VMs on their way out.' },
    { name: 'Pods', type: 'integer', jsonPath: '.status.pods', description: 'Pods on them.' },
    { name: 'CPU%', type: 'string', jsonPath: '.status.cpuRequested', description: 'Cores asked for.' },
    { name: 'Mem%', type: 'string', jsonPath: '.status.memoryRequested', description: 'Memory asked for.' },
    { name: 'OS', type: 'string', jsonPath: '.status.os', description: 'Their operating system.' },
    { name: 'Kubelet', type: 'string', jsonPath: '.status.kubelet', description: 'Their kubelet.' },
    { name: 'Tenants', type: 'string', jsonPath: '.status.tenants', description: 'Whose they are.' },
    {
      name: 'Kernel',
      type: 'string',
      jsonPath: '.status.kernel',
      description: 'Their kernel.',
      priority: 1,
    },
    {
      name: 'Skewed',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Skewed")].status',
      description: 'Whether they run different systems.',
      priority: 1,
    },
    {
      name: 'Overlapping',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Overlapping")].status',
      description: 'Whether another pool matches the same VMs.',
      priority: 1,
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When it was created.' },
  ],
};
