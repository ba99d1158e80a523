/** A Service leads to pods of its own release alone. */
import { LABEL } from '../../src/api/meta.ts';
import type { Judge, Rule } from './invariants.ts';
import { isOperator } from './invariants.ts';
import { deploymentSpec, matches, podsOf } from './pods.ts';
import { selectorOf } from './truth.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';

export function createServiceRules({ world }: Judge): Rule[] {
  /** Of a Service that the operator made before it selected its release alone, until its next switch. */
  function isFromBefore(service: WorldObject | undefined): boolean {
    return selectorOf(service)?.[LABEL.release] === undefined;
  }

  const selectsItsOwnAlone: Rule = ({ actor, kind, before, after }) => {
    if (!isOperator(actor) || kind !== 'Service' || !after) return undefined;
    if (isFromBefore(before) && isFromBefore(after) && before) return undefined;
    const strangers = podsOf(world).filter(
      (pod) => matches(pod, selectorOf(after)) && labelOf(pod, 'release') !== labelOf(after, 'release'),
    );
    return (
      strangers[0] && `lets Service ${after.metadata.name} lead to ${strangers[0].metadata.name} of another release`
    );
  };

  const startsBehindItsOwnAlone: Rule = ({ actor, kind, before, after }) => {
    if (!isOperator(actor) || kind !== 'Deployment' || before || !after) return undefined;
    const { metadata } = deploymentSpec(after).template;
    const pods = { ...after, metadata: { ...after.metadata, labels: metadata?.labels ?? {} } };
    const service = world
      .list('Service')
      .find((object) => matches(pods, selectorOf(object)) && labelOf(object, 'release') !== labelOf(after, 'release'));
    return service && `starts ${after.metadata.name} behind Service ${service.metadata.name} of another release`;
  };

  return [selectsItsOwnAlone, startsBehindItsOwnAlone];
}
