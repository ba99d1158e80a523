/** Takes the pod template of a Deployment apart: what the version says, what the pool adds, what the operator adds. Pure. */
import type { Container, PodTemplate, PoolTemplate } from '../../api/app-release.ts';
import { LABEL, withoutOurs } from '../../api/meta.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { withoutNulls } from '../../lib/json.ts';
import { own } from '../../lib/own.ts';
import type { Placement, RevisionInput } from './recorded-data.ts';

/** What `kubectl rollout restart` sets. */
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

/** The template without the mark of a restart by kubectl, unless the user's own template has one. */
export function withoutRestart(template: PodTemplate, users: PodTemplate | undefined): PodTemplate {
  const { [RESTARTED_AT]: at, ...annotations } = template.metadata?.annotations ?? {};
  const isUsers = users?.metadata?.annotations?.[RESTARTED_AT] !== undefined;
  return at === undefined || isUsers ? template : { ...template, metadata: { ...template.metadata, annotations } };
}

/** The template of a Deployment without the names of the operator and without the placement, which a renderer adds. */
export function templateOf(live: PodTemplate, placement: Placement): PodTemplate {
  const { metadata, spec } = withoutNulls(live);
  const { finalizers } = metadata ?? {};
  const { [LABEL.managedBy]: manager, ...labels } = withoutOurs(metadata?.labels);
  const annotations = withoutOurs(metadata?.annotations);
  const { nodeSelector = {}, tolerations = [], ...pods } = withoutCopies(spec);
  const selected = Object.entries(nodeSelector).filter(([key, value]) => own(placement.nodeSelector, key) !== value);
  const tolerated = tolerations.slice(0, Math.max(0, tolerations.length - placement.tolerations.length));
  return {
    metadata: {
      labels: { ...labels, ...(manager !== undefined && manager !== 'apprelease' && { [LABEL.managedBy]: manager }) },
      annotations,
      ...(finalizers && { finalizers }),
    },
    spec: {
      ...pods,
      ...(selected.length > 0 && { nodeSelector: Object.fromEntries(selected) }),
      ...(tolerated.length > 0 && { tolerations: tolerated }),
    },
  };
}

/** The API server stores the service account under its older name too. */
function withoutCopies({ serviceAccount: _copy, ...spec }: PodTemplate['spec']): PodTemplate['spec'] {
  return spec;
}

/** Whether two templates make equal pods, with the labels of the operator and the placement. */
export function hasSameContent(...templates: [PodTemplate, PodTemplate]): boolean {
  const [one, other] = templates.map((template) => {
    const { metadata, spec } = withoutNulls(template);
    const { labels = {}, annotations = {}, finalizers = [] } = metadata ?? {};
    const { nodeSelector = {}, tolerations = [], ...pods } = withoutCopies(spec);
    return canonicalJson({ labels, annotations, finalizers, nodeSelector, tolerations, pods });
  });
  return one === other;
}

/** The template of all pools and the difference of each, from the templates of the pools. */
export function splitTemplates(templates: ReadonlyMap<string, PodTemplate>): Pick<RevisionInput, 'template' | 'pools'> {
  const template = [...templates.values()].reduce(common);
  const pools = [...templates].flatMap(([name, one]) => {
    const difference = differenceOf(template, one);
    return difference ? [[name, difference] as const] : [];
  });
  return { template, pools: Object.fromEntries(pools) };
}

/** What a pool may add is taken away; what it may replace is that of the first. */
function common(one: PodTemplate, other: PodTemplate): PodTemplate {
  const containers = one.spec.containers.map((container) => {
    const names = new Set(containerNamed(other, container.name)?.env?.map(({ name }) => name));
    const env = container.env?.filter(({ name }) => names.has(name)) ?? [];
    const { env: _env, ...rest } = container;
    return { ...rest, ...(env.length > 0 && { env }) };
  });
  const { labels, annotations } = one.metadata ?? {};
  const metadata = {
    ...one.metadata,
    labels: entriesOf(labels, other.metadata?.labels, true),
    annotations: entriesOf(annotations, other.metadata?.annotations, true),
  };
  return { metadata, spec: { ...one.spec, containers } };
}

function containerNamed({ spec }: PodTemplate, name: string): Container | undefined {
  return spec.containers.find((container) => container.name === name);
}

/** The entries of a map that another map has too, or has not. */
function entriesOf(
  map: Record<string, string> = {},
  others: Record<string, string> = {},
  shared: boolean,
): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([key, value]) => (own(others, key) === value) === shared));
}

/** Undefined if there is none. What cannot be a difference of a pool is left out. */
function differenceOf(template: PodTemplate, one: PodTemplate): PoolTemplate | undefined {
  const labels = entriesOf(one.metadata?.labels, template.metadata?.labels, false);
  const annotations = entriesOf(one.metadata?.annotations, template.metadata?.annotations, false);
  const { serviceAccountName } = one.spec;
  const account = serviceAccountName !== template.spec.serviceAccountName && { serviceAccountName };
  const containers = one.spec.containers.flatMap((container) => {
    const before = containerNamed(template, container.name);
    const known = new Map(before?.env?.map((variable) => [variable.name, canonicalJson(variable)]));
    const env = (container.env ?? []).filter((variable) => known.get(variable.name) !== canonicalJson(variable));
    const replaced = (['envFrom', 'resources'] as const).flatMap((field) => {
      const isSame = canonicalJson(container[field]) === canonicalJson(before?.[field]);
      return isSame || container[field] === undefined ? [] : [[field, container[field]] as const];
    });
    if (env.length === 0 && replaced.length === 0) return [];
    return [{ name: container.name, ...(env.length > 0 && { env }), ...Object.fromEntries(replaced) }];
  });
  const metadata = {
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
  const spec = { ...account, ...(containers.length > 0 && { containers }) };
  const difference = {
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(Object.keys(spec).length > 0 && { spec }),
  };
  return Object.keys(difference).length > 0 ? difference : undefined;
}
