/** The autoscaler that a pool has. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { Autoscaler } from '../record/kube-objects.ts';
import { joinName, objectName } from '../record/names.ts';
import type { Observed } from './observed.ts';

/** By its label; where somebody took that away, by its name, also as it was before names were told apart by a hash. */
export function autoscalerOf(
  { release, autoscalers }: Pick<Observed, 'release' | 'autoscalers'>,
  pool: string,
): Autoscaler | undefined {
  const { name } = release.metadata;
  const ours = autoscalers.filter(({ metadata }) => metadata.labels?.[LABEL.managedBy] === 'apprelease');
  return (
    ours.find(({ metadata }) => metadata.labels?.[LABEL.pool] === pool) ??
    [objectName(name, pool), joinName(name, pool)]
      .map((candidate) => autoscalers.find(({ metadata }) => metadata.name === candidate))
      .find((found) => found !== undefined)
  );
}
