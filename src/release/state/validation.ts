/**
 * Checks that the schema of the CRD cannot express. An invalid spec makes the release Stalled and changes no running pods.
 */
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { reading } from '../record/internal-error.ts';
import { hasPort, namedPorts } from '../record/named-ports.ts';
import { nextServiceName, serviceName } from '../record/names.ts';
import { hasNext } from '../record/next-services.ts';
import { routeProblem } from './route-rules.ts';
import { LEDGER_BYTES, templateImages, topologyOf } from '../record/revision.ts';

export interface SpecProblem {
  reason:
    | 'InvalidSpec'
    | 'UnknownPool'
    | 'InvalidNodeSelector'
    | 'InvalidPort'
    | 'UnknownContainer'
    | 'InvalidService'
    | 'InvalidRoute'
    | 'InvalidTemplate';
  message: string;
}

type ValidationRule = (spec: AppReleaseSpec, release: string) => SpecProblem | undefined;

const KIB = 1024;
/** Limit for spec.template and the pools' templates. A revision is one object, and etcd accepts 1.5 MiB. */
const TEMPLATE_BYTES = 256 * KIB;
/** Limit for the rendered templates of all pools with a template. Each of them is sent in a dry run. */
const RENDERED_BYTES = 8192 * KIB;
/** Limit for images. The operator asks a registry for each image and records its pin with every version. */
const IMAGES = 64;

/** Each rule with the field that its internal errors name. */
const RULES: readonly (readonly [field: string, rule: ValidationRule])[] = [
  ['spec.template', templateIsSmall],
  ['spec.stages', renderedIsSmall],
  ['spec.stages', topologyIsSmall],
  ['spec.template.spec', imagesAreFew],
  ['spec.stages', poolsHaveNodes],
  ['spec.stages', nodeSelectorsAreLabels],
  ['spec.template.spec.containers', targetPortsExist],
  ['spec.stages', containersExist],
  ['spec.template.spec.restartPolicy', templateHasNoForeignFields],
  ['spec.service', blueGreenHasService],
  ['spec.service', servicesFit],
  ['spec.service', serviceLabelsAreLabels],
  ['spec.route', routeFits],
  ['spec.route', routeLabelsAreLabels],
  ['spec.workloadMetadata', workloadMetadataIsMetadata],
];

/** The first problem, or undefined. */
export function validateSpec(spec: AppReleaseSpec, release: string): SpecProblem | undefined {
  for (const [field, rule] of RULES) {
    const problem = reading(field, () => rule(spec, release));
    if (problem) return problem;
  }
  return undefined;
}

function poolsHaveNodes(spec: AppReleaseSpec): SpecProblem | undefined {
  const unknown = allPools(spec).find(({ pool }) => pool.nodeSelector === undefined);
  return (
    unknown && {
      reason: 'UnknownPool',
      message: `${unknown.path}: the VMPool ${unknown.pool.name} does not exist, or it has no VMs yet: create it, set its spec.nodeSelector, or set nodeSelector (and tolerations) on the pool of the release; {} means any node`,
    }
  );
}

/**
 * The dry run covers only the first pool and pools with a template. An invalid selector of another pool would break the
 * rollout.
 */
function nodeSelectorsAreLabels(spec: AppReleaseSpec): SpecProblem | undefined {
  for (const { pool, path } of allPools(spec)) {
    const fault = labelFault(pool.nodeSelector);
    if (fault !== undefined) return { reason: 'InvalidNodeSelector', message: `${path}.nodeSelector: ${fault}` };
  }
  return undefined;
}

function serviceLabelsAreLabels({ service }: AppReleaseSpec): SpecProblem | undefined {
  const fault = labelFault(service?.metadata?.labels);
  return fault === undefined
    ? undefined
    : { reason: 'InvalidService', message: `spec.service.metadata.labels: ${fault}` };
}

function routeFits(spec: AppReleaseSpec, release: string): SpecProblem | undefined {
  const message = routeProblem(spec, release);
  return message === undefined ? undefined : { reason: 'InvalidRoute', message };
}

function routeLabelsAreLabels({ route }: AppReleaseSpec): SpecProblem | undefined {
  for (const field of ['metadata', 'nextMetadata'] as const) {
    const fault = labelFault(route?.[field]?.labels);
    if (fault !== undefined) return { reason: 'InvalidRoute', message: `spec.route.${field}.labels: ${fault}` };
  }
  return undefined;
}

function workloadMetadataIsMetadata({ workloadMetadata }: AppReleaseSpec): SpecProblem | undefined {
  const faults = {
    labels: labelFault(workloadMetadata?.labels),
    annotations: Object.keys(workloadMetadata?.annotations ?? {}).flatMap(
      (key) => keyFault(key, 'annotation') ?? [],
    )[0],
  };
  for (const [field, fault] of Object.entries(faults))
    if (fault !== undefined) return { reason: 'InvalidSpec', message: `spec.workloadMetadata.${field}: ${fault}` };
  return undefined;
}

function targetPortsExist(spec: AppReleaseSpec): SpecProblem | undefined {
  const ports = namedPorts(spec.template);
  for (const [index, { targetPort, protocol }] of (spec.service?.ports ?? []).entries()) {
    if (typeof targetPort !== 'string') continue;
    if (hasPort(ports, targetPort, protocol)) continue;
    const namesakes = ports.filter(({ name }) => name === targetPort);
    const path = `spec.service.ports[${index}].targetPort`;
    const quoted = JSON.stringify(targetPort);
    const names = ports.map(({ name }) => name).join(', ');
    const wayOut =
      names === ''
        ? 'no container port has a name: give a number (without quotes)'
        : `name one of ${names}, or give a number (without quotes)`;
    const message =
      namesakes.length === 0
        ? `${path}: no container of spec.template has a port named ${quoted}: ${wayOut}`
        : `${path}: the port named ${quoted} is ${namesakes[0]?.protocol ?? 'TCP'}, not ${protocol}: give both the same protocol`;
    return { reason: 'InvalidPort', message };
  }
  return undefined;
}

function containersExist(spec: AppReleaseSpec): SpecProblem | undefined {
  const { containers, initContainers = [] } = spec.template.spec;
  const known = new Set([...containers, ...initContainers].map(({ name }) => name));
  for (const { pool, path } of allPools(spec)) {
    const unknown = pool.template?.spec?.containers?.find(({ name }) => !known.has(name));
    if (unknown) {
      return {
        reason: 'UnknownContainer',
        message: `${path}.template.spec.containers: the template has no container named ${unknown.name}: it has ${[...known].join(', ')}`,
      };
    }
  }
  return undefined;
}

function templateHasNoForeignFields(spec: AppReleaseSpec): SpecProblem | undefined {
  const { restartPolicy } = spec.template.spec;
  if (restartPolicy === undefined || restartPolicy === 'Always') return undefined;
  return {
    reason: 'InvalidTemplate',
    message: `spec.template.spec.restartPolicy: a Deployment needs Always, not ${restartPolicy}: remove the field`,
  };
}

function templateIsSmall(spec: AppReleaseSpec): SpecProblem | undefined {
  const differences = allPools(spec).map(({ pool }) => pool.template);
  const bytes = bytesOf([spec.template, differences]);
  if (bytes <= TEMPLATE_BYTES) return undefined;
  return {
    reason: 'InvalidTemplate',
    message: `spec.template: spec.template and the templates of the pools have ${Math.ceil(bytes / 1024)} KiB together, and a revision can record at most 256 KiB: move files and long values to a ConfigMap`,
  };
}

/** Estimates the size before anything is rendered. */
function renderedIsSmall(spec: AppReleaseSpec): SpecProblem | undefined {
  const differences = allPools(spec).flatMap(({ pool }) => pool.template ?? []);
  const bytes = differences.length * bytesOf(spec.template) + bytesOf(differences);
  if (bytes <= RENDERED_BYTES) return undefined;
  return {
    reason: 'InvalidTemplate',
    message: `spec.stages: the rendered templates of the ${differences.length} pools with a template have ${Math.ceil(bytes / KIB)} KiB together, and the operator renders at most 8192 KiB: remove the template of some pools, or make spec.template smaller`,
  };
}

/**
 * The ledger records the topology, which a rollback needs while the spec is not valid, next to the pins of older versions.
 */
function topologyIsSmall(spec: AppReleaseSpec): SpecProblem | undefined {
  const bytes = bytesOf(topologyOf(spec));
  if (bytes <= LEDGER_BYTES) return undefined;
  return {
    reason: 'InvalidSpec',
    message: `spec.stages: the spec without its templates has ${Math.ceil(bytes / KIB)} KiB, and the operator can record at most ${LEDGER_BYTES / KIB} KiB: give the pools fewer or shorter labels, tolerations and metrics, and spec.route fewer rules`,
  };
}

function imagesAreFew({ template }: AppReleaseSpec): SpecProblem | undefined {
  const { length } = templateImages(template);
  if (length <= IMAGES) return undefined;
  return {
    reason: 'InvalidTemplate',
    message: `spec.template.spec: containers, init containers and volumes name ${length} images, and a version can have at most ${IMAGES}`,
  };
}

function bytesOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** The CRD requires the Service, but an object with null, or one stored before the CRD required it, may have none. */
function blueGreenHasService({ strategy, service }: AppReleaseSpec): SpecProblem | undefined {
  if (service || strategy.type === 'RollingUpdate') return undefined;
  const message =
    'spec.service: strategy BlueGreen needs a Service: set spec.service, or strategy.type RollingUpdate for workers without a Service';
  return { reason: 'InvalidService', message };
}

function servicesFit(spec: AppReleaseSpec, release: string): SpecProblem | undefined {
  if (!spec.service) return undefined;
  const stageOf = new Map<string, string>();
  const seconds = new Map(
    spec.stages
      .filter((stage) => hasNext(spec, stage))
      .flatMap(({ pools }) => pools.map((pool) => serviceName(release, pool)))
      .map((name) => [nextServiceName(name), name]),
  );
  for (const { pool, stage, path } of allPools(spec)) {
    const name = serviceName(release, pool);
    if (name.length > 63) {
      return {
        reason: 'InvalidService',
        message: `${path}: the Service's name ${name} would be longer than 63 characters: give the pool a serviceName`,
      };
    }
    const first = seconds.get(name);
    if (first !== undefined) {
      return {
        reason: 'InvalidService',
        message: `${path}: ${name} is the second Service of ${first}, whose stage has match or exposure: give one of them another serviceName`,
      };
    }
    if (seconds.has(nextServiceName(name)) && nextServiceName(name).length > 63) {
      return {
        reason: 'InvalidService',
        message: `${path}: the Service's name ${nextServiceName(name)} would be longer than 63 characters: give the pool a serviceName of at most 58`,
      };
    }
    const other = stageOf.get(name);
    if (other !== undefined && other !== stage) {
      return {
        reason: 'InvalidService',
        message: `${path}.serviceName: ${name} is used in the stages ${other} and ${stage}: only pools of one stage may share a Service`,
      };
    }
    stageOf.set(name, stage);
  }
  return undefined;
}

function allPools(spec: AppReleaseSpec) {
  return spec.stages.flatMap((stage, s) =>
    stage.pools.map((pool, p) => ({ pool, stage: stage.name, path: `spec.stages[${s}].pools[${p}] (${pool.name})` })),
  );
}

const LABEL_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The first invalid label (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/). */
function labelFault(labels: Record<string, string> = {}): string | undefined {
  for (const [key, value] of Object.entries(labels)) {
    const fault = keyFault(key, 'label');
    if (fault !== undefined) return fault;
    if (value !== '' && !LABEL_NAME.test(value)) {
      return `${key}: ${JSON.stringify(value)} is not a valid label value: use at most 63 letters and digits, with - _ . between them`;
    }
  }
  return undefined;
}

function keyFault(key: string, what: 'label' | 'annotation'): string | undefined {
  const slash = key.lastIndexOf('/');
  // The prefix of an annotation may have upper case.
  const written = key.slice(0, Math.max(slash, 0));
  const prefix = what === 'annotation' ? written.toLowerCase() : written;
  const isKey =
    LABEL_NAME.test(key.slice(slash + 1)) && (slash < 0 || (LABEL_PREFIX.test(prefix) && prefix.length <= 253));
  return isKey ? undefined : `${JSON.stringify(key)} is not a valid ${what} key: write [prefix/]name`;
}
