/** The HorizontalPodAutoscaler of a pool. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { Autoscaler } from '../record/kube-objects.ts';
import { joinName, objectName } from '../record/names.ts';
import { isMade } from '../record/ownership.ts';
import type { Observed } from './observed.ts';

/** Finds the autoscaler by its label. Without the label, finds it by its name or by the name that earlier operators used. */
export function autoscalerOf(
  { release, autoscalers }: Pick<Observed, 'release' | 'autoscalers'>,
  pool: string,
): Autoscaler | undefined {
  const { name } = release.metadata;
  const ours = autoscalers.filter(({ metadata }) => isMade(metadata));
  return (
    ours.find(({ metadata }) => metadata.labels?.[LABEL.pool] === pool) ??
    [objectName(name, pool), joinName(name, pool)]
      .map((candidate) => autoscalers.find(({ metadata }) => metadata.name === candidate))
      .find((found) => found !== undefined)
  );
}
