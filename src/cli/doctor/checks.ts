/** The doctor's checks: what is wrong with an installation, and the way out. Pure. */
import type { StructuralSchema } from '../../api/crd.ts';
import { toCustomResourceDefinition } from '../../api/crd.ts';
import { KINDS } from '../../api/kinds.ts';
import { GROUP, VERSION } from '../../api/meta.ts';
import { stateOf } from '../read/state.ts';
import type { Crd, Facts } from './facts.ts';

export interface Finding {
  /** unknown: the user has no right to see it. */
  readonly state: 'ok' | 'warning' | 'bad' | 'unknown';
  readonly text: string;
}

/** What one check is about, and what it finds. */
export interface Check {
  readonly title: string;
  readonly find: (facts: Facts) => readonly Finding[];
}

export const CHECKS: readonly Check[] = [
  { title: 'Kubernetes', find: ({ serverVersion }) => [kubernetes(serverVersion)] },
  { title: 'Kinds', find: kinds },
  { title: 'Operator', find: operator },
  { title: 'Leader', find: leader },
  { title: 'Policies', find: policies },
  { title: 'Releases', find: releases },
];

const OLDEST_MINOR = 34;
/** A leader renews its Lease every few seconds. */
const SILENT_MS = 60_000;

function kubernetes(version: string): Finding {
  const minor = Number(/^v1\.(\d+)/.exec(version)?.[1]);
  return minor < OLDEST_MINOR
    ? { state: 'bad', text: `${version} is too old: AppRelease needs 1.${OLDEST_MINOR} or newer` }
    : { state: 'ok', text: version };
}

function kinds({ crds }: Facts): Finding[] {
  if (!crds) return [unknown('CRDs')];
  const findings = KINDS.flatMap((kind) => {
    const crd = crds.get(kind.plural);
    const name = `${kind.plural}.${GROUP}`;
    if (!crd) return [bad(`${name} is not installed: kubectl apply --server-side -k crds, or install the chart`)];
    const established = crd.status?.conditions?.find(({ type }) => type === 'Established');
    if (established?.status !== 'True')
      return [bad(`${name} is not served: ${established?.message ?? 'not established'}`)];
    const [schema] = toCustomResourceDefinition(kind).spec.versions;
    return differences(name, schema?.schema.openAPIV3Schema ?? {}, schemaOf(crd));
  });
  return findings.length > 0 ? findings : [ok(`${KINDS.length} CRDs, as this plugin knows them`)];
}

function schemaOf(crd: Crd): StructuralSchema {
  return crd.spec?.versions.find(({ name }) => name === VERSION)?.schema?.openAPIV3Schema ?? {};
}

/** Fields that one side does not know: the API server drops what its CRD does not know. */
function differences(name: string, ours: StructuralSchema, theirs: StructuralSchema): Finding[] {
  const [own, installed] = [fieldsOf(ours), fieldsOf(theirs)];
  const missing = [...own].filter((field) => !installed.has(field));
  const unfamiliar = [...installed].filter((field) => !own.has(field));
  return [
    ...(missing.length > 0
      ? [
          warning(
            `${name} is older than this plugin, and lacks ${listed(missing)}: upgrade the CRDs before the operator`,
          ),
        ]
      : []),
    ...(unfamiliar.length > 0
      ? [warning(`${name} is newer than this plugin, and has ${listed(unfamiliar)}: upgrade the plugin`)]
      : []),
  ];
}

/** The outermost paths that differ are enough. */
function listed(fields: readonly string[]): string {
  const outermost = fields.filter((field) => !fields.some((other) => field.startsWith(`${other}.`)));
  const [first, second, third, ...more] = outermost;
  const shown = [first, second, third].flatMap((field) => field ?? []).join(', ');
  return more.length > 0 ? `${shown} and ${more.length} more fields` : shown;
}

function fieldsOf({ properties = {}, items, additionalProperties }: StructuralSchema, path = ''): Set<string> {
  const fields = new Set<string>();
  for (const [name, schema] of Object.entries(properties)) {
    const own = path === '' ? name : `${path}.${name}`;
    // The server fills them in.
    if (path === '' && ['apiVersion', 'kind', 'metadata'].includes(name)) continue;
    fields.add(own);
    for (const field of fieldsOf(schema, own)) fields.add(field);
  }
  for (const nested of [items, additionalProperties])
    if (typeof nested === 'object') for (const field of fieldsOf(nested, path)) fields.add(field);
  return fields;
}

function operator({ operators }: Facts): Finding[] {
  if (!operators) return [unknown('Deployments of all namespaces')];
  if (operators.length === 0)
    return [
      bad(
        'no Deployment has the label app.kubernetes.io/name=apprelease-operator: install the operator (docs/install.md)',
      ),
    ];
  const namespaces = new Set(operators.map(({ metadata }) => metadata.namespace));
  return [
    ...(namespaces.size > 1
      ? [
          warning(
            `operators run in the namespaces ${[...namespaces].join(', ')}: each must watch namespaces of its own`,
          ),
        ]
      : []),
    ...operators.map(({ metadata, spec, status }) => {
      const name = `${metadata.namespace ?? ''}/${metadata.name}`;
      const wanted = spec?.replicas ?? 1;
      const ready = status?.readyReplicas ?? 0;
      const image = spec?.template.spec.containers[0]?.image ?? '';
      if (ready === 0)
        return bad(
          `${name} has no ready pod of ${wanted}: kubectl logs -n ${metadata.namespace ?? ''} deployment/${metadata.name}`,
        );
      return ready < wanted
        ? warning(`${name} has ${ready} of ${wanted} ready pods (${image})`)
        : ok(`${name} has ${ready} of ${wanted} ready pods (${image})`);
    }),
  ];
}

function leader({ operators, lease, now }: Facts): Finding[] {
  if (operators?.length === 0) return [];
  if (lease === undefined) return [unknown('the Lease of the operator')];
  if (lease === 'none') return [bad('no operator has led yet: see the log of the operator')];
  const { holderIdentity = '', renewTime } = lease.spec ?? {};
  if (holderIdentity === '') return [bad('no operator leads: nothing is promoted or rolled back')];
  const silence = now - Date.parse(renewTime ?? '');
  return silence > SILENT_MS
    ? [
        bad(
          `${holderIdentity} leads, and has not renewed its Lease for ${Math.round(silence / 1000)} s: is it running?`,
        ),
      ]
    : [ok(`${holderIdentity} leads`)];
}

/** The policies of manifests/policies, and what is open without each. */
const POLICIES: Readonly<Record<string, string>> = {
  [`requested-by.${GROUP}`]: 'a user may roll back or promote in the name of another one',
  [`gates.${GROUP}`]: 'who may edit a release may loosen its gates without the right to promote',
  [`records.${GROUP}`]: 'who may edit ControllerRevisions may change what was released',
  [`tenants.${GROUP}`]: 'pods of other namespaces may run on the VMs of tenants',
};

function policies({ policies: bound }: Facts): Finding[] {
  if (!bound) return [unknown('ValidatingAdmissionPolicyBindings')];
  const missing = Object.entries(POLICIES).filter(([name]) => !hasPolicy(bound, name));
  return missing.length === 0
    ? [ok(`${Object.keys(POLICIES).length} policies are in force`)]
    : missing.map(([name, open]) => warning(`${name} is not in force: ${open} (docs/security.md)`));
}

/** With watchNamespaces the chart names them gates.<operator>.apprelease.dev. */
function hasPolicy(bound: ReadonlySet<string>, name: string): boolean {
  const [kind = ''] = name.split('.');
  return [...bound].some((one) => one === name || (one.startsWith(`${kind}.`) && one.endsWith(`.${GROUP}`)));
}

function releases({ releases: found }: Facts): Finding[] {
  if (!found) return [unknown('AppReleases of all namespaces')];
  const unseen = found.filter(({ status }) => status?.observedGeneration === undefined);
  const stalled = found.filter((release) => stateOf(release).tone === 'bad' && !unseen.includes(release));
  return [
    ...(unseen.length > 0
      ? [bad(`no operator has seen ${named(unseen)}: it does not run, or watches other namespaces`)]
      : []),
    ...(stalled.length > 0 ? [warning(`${named(stalled)} need a person: see kubectl apprelease get`)] : []),
    ...(unseen.length + stalled.length === 0 ? [ok(`${found.length} releases, none of them stalled`)] : []),
  ];
}

function named(found: NonNullable<Facts['releases']>): string {
  const names = found.slice(0, 3).map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`);
  const more = found.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more releases` : ''}`;
}

function ok(text: string): Finding {
  return { state: 'ok', text };
}

function warning(text: string): Finding {
  return { state: 'warning', text };
}

function bad(text: string): Finding {
  return { state: 'bad', text };
}

function unknown(what: string): Finding {
  return { state: 'unknown', text: `you have no right to read ${what}` };
}
