/** A Service selects only pods of its own release, with ports that the pods have. */
import { ANNOTATION, LABEL } from '../../src/api/meta.ts';
import { isMade } from '../../src/release/record/ownership.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator } from './invariants.ts';
import type { WorldPod } from './pods.ts';
import { deploymentSpec, matches, allPods, poolOf, serves } from './pods.ts';
import {
  factsOf,
  podContent,
  podsNumber,
  portsIn,
  recordOf,
  revisionOf,
  revisionsOf,
  selectorOf,
  shownPorts,
} from './truth.ts';
import type { Port } from './truth.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';

export function createServiceRules({ world }: Judge): WriteRule[] {
  /** Whether the operator created the Service before Services selected their release, and has not switched it since. */
  function isFromBefore(service: WorldObject | undefined): boolean {
    return selectorOf(service)?.[LABEL.release] === undefined;
  }

  const selectsItsOwnAlone: WriteRule = ({ actor, kind, before, after }) => {
    if (!isOperator(actor) || kind !== 'Service' || !after) return undefined;
    if (isFromBefore(before) && isFromBefore(after) && before) return undefined;
    const strangers = allPods(world).filter(
      (pod) => matches(pod, selectorOf(after)) && labelOf(pod, 'release') !== labelOf(after, 'release'),
    );
    return (
      strangers[0] && `lets Service ${after.metadata.name} lead to ${strangers[0].metadata.name} of another release`
    );
  };

  const startsBehindItsOwnAlone: WriteRule = ({ actor, kind, before, after }) => {
    if (!isOperator(actor) || kind !== 'Deployment' || before || !after) return undefined;
    const service = world
      .list('Service')
      .find((object) => leadsTo(object, after) && labelOf(object, 'release') !== labelOf(after, 'release'));
    return service && `starts ${after.metadata.name} behind Service ${service.metadata.name} of another release`;
  };

  function portsOf(release: string, revision: number | undefined): string | undefined {
    const ports = recordOf(world, release, revision ?? 0)?.data.input.ports;
    return ports && shownPorts(ports);
  }

  /** Pods of a revision may serve the ports of another revision with equal pods. */
  function fits(release: string, pool: string, ports: string, noted: number, revision: number | undefined): boolean {
    const own = portsOf(release, revision);
    const same = revisionsOf(world, release).filter((one) => podsNumber(factsOf(one), one.revision, pool) === revision);
    if (own === undefined || [own, ...same.map((one) => portsOf(release, one.revision))].includes(ports)) return true;
    return podContent(world, release, revision ?? 0, pool) === podContent(world, release, noted, pool);
  }

  const portsGoWithPods: WriteRule = ({ actor, kind, before, after }) => {
    if (!isOperator(actor) || !after || (kind !== 'Service' && kind !== 'Deployment')) return undefined;
    const release = labelOf(after, 'release') ?? '';
    const services = kind === 'Service' ? [after] : world.list('Service').filter((one) => leadsTo(one, after));
    for (const service of services.filter(({ metadata }) => isMade(metadata))) {
      const noted = Number(service.metadata.annotations?.[ANNOTATION.revision]);
      const ports = kind === 'Service' ? shownPorts(portsIn(service)) : (portsOf(release, noted) ?? '');
      const behind =
        kind === 'Service' ? allPods(world).filter((pod) => serves(pod) && matches(pod, selectorOf(service))) : [after];
      const wrong = behind.find((one) => !fits(release, poolOf(one), ports, noted, revisionOf(one)));
      if (wrong && (kind === 'Service' || revisionOf(before) !== revisionOf(after)))
        return `has ${wrong.metadata.name} of revision ${revisionOf(wrong) ?? '?'} behind the ports ${ports}`;
      const deaf =
        kind === 'Service' ? (behind as WorldPod[]).find((pod) => !hasNamed(pod, portsIn(service))) : undefined;
      if (deaf) return `leads Service ${service.metadata.name} to a port that ${deaf.metadata.name} has not`;
    }
    return undefined;
  };

  return [selectsItsOwnAlone, startsBehindItsOwnAlone, portsGoWithPods];
}

function leadsTo(service: WorldObject, deployment: WorldObject): boolean {
  const labels = deploymentSpec(deployment).template.metadata?.labels ?? {};
  return matches({ ...deployment, metadata: { ...deployment.metadata, labels } }, selectorOf(service));
}

function hasNamed({ spec }: WorldPod, ports: readonly Port[]): boolean {
  const containers = spec.containers as { ports?: { name?: string }[] }[];
  const names = containers.flatMap(({ ports: own = [] }) => own.map(({ name }) => name));
  return ports.every(({ targetPort }) => typeof targetPort !== 'string' || names.includes(targetPort));
}
