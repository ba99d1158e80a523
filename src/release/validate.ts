/** What the CRD's schema cannot say of a spec. A spec that fails here is Stalled, and nothing that runs is touched. */
import type { AppReleaseSpec } from '../api/app-release.ts';
import { serviceName } from './names.ts';

export interface SpecProblem {
  reason: 'UnknownPool' | 'InvalidPort' | 'UnknownContainer' | 'InvalidService' | 'InvalidTemplate';
  message: string;
}

type Rule = (spec: AppReleaseSpec, release: string) => SpecProblem | undefined;

const RULES: readonly Rule[] = [
  poolsHaveNodes,
  targetPortsExist,
  containersExist,
  templateHasNoForeignFields,
  servicesFit,
];

/** The first problem, or undefined. */
export function validateSpec(spec: AppReleaseSpec, release: string): SpecProblem | undefined {
  for (const rule of RULES) {
    const problem = rule(spec, release);
    if (problem) return problem;
  }
  return undefined;
}

function poolsHaveNodes(spec: AppReleaseSpec): SpecProblem | undefined {
  const unknown = allPools(spec).find(({ pool }) => pool.nodeSelector === undefined);
  return (
    unknown && {
      reason: 'UnknownPool',
      message: `${unknown.path}: no pool of VMs named ${unknown.pool.name} is known: give nodeSelector (and tolerations) there; {} means any node`,
    }
  );
}

function targetPortsExist(spec: AppReleaseSpec): SpecProblem | undefined {
  const containers = spec.template.spec.containers as { ports?: { name?: string }[] }[];
  const names = new Set(containers.flatMap(({ ports = [] }) => ports.flatMap(({ name }) => name ?? [])));
  const index = (spec.service?.ports ?? []).findIndex(
    ({ targetPort }) => typeof targetPort === 'string' && !/^\d+$/.test(targetPort) && !names.has(targetPort),
  );
  if (index < 0) return undefined;
  return {
    reason: 'InvalidPort',
    message: `spec.service.ports[${index}].targetPort: no container of spec.template has a port named ${JSON.stringify(spec.service?.ports[index]?.targetPort)}: name one of ${[...names].join(', ') || '(none is named)'}, or give a number`,
  };
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
  const { restartPolicy } = spec.template.spec as { restartPolicy?: string };
  if (restartPolicy === undefined || restartPolicy === 'Always') return undefined;
  return {
    reason: 'InvalidTemplate',
    message: `spec.template.spec.restartPolicy: a Deployment needs Always, not ${restartPolicy}: remove the field`,
  };
}

function servicesFit(spec: AppReleaseSpec, release: string): SpecProblem | undefined {
  if (!spec.service) return undefined;
  const stageOf = new Map<string, string>();
  for (const { pool, stage, path } of allPools(spec)) {
    const name = serviceName(release, pool);
    if (name.length > 63) {
      return {
        reason: 'InvalidService',
        message: `${path}: the Service's name ${name} would be longer than 63 characters: give the pool a serviceName`,
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
