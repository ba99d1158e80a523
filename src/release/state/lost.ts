/** Serving revisions without a record, and the revision numbers in use. Pure. */
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Service } from '../record/kube-objects.ts';
import type { Observed } from './observed.ts';
import type { Revision } from '../record/revision.ts';
import { notedRevision } from '../traffic/service.ts';

/** A serving revision whose record the cache does not have. */
export interface LostRevision {
  number: number;
  version?: string;
}

/** A larger number in a label is not from the operator. */
const LARGEST = 1_000_000_000;

export function isNumber(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < LARGEST;
}

/** Undefined if a label or annotation names a recorded revision: then somebody changed the other labels. */
export function lostRevision(
  revisions: readonly Revision[],
  deployment: Observed['deployments'][number] | undefined,
  service: Service | undefined,
): LostRevision | undefined {
  const told = [
    deployment?.spec.template.metadata?.labels?.[LABEL.revision],
    deployment?.metadata.labels?.[LABEL.revision],
    service && notedRevision(service),
  ];
  const numbers = told.map(Number).filter(isNumber);
  const [number] = numbers;
  if (number === undefined || revisions.some((revision) => numbers.includes(revision.number))) return undefined;
  const { annotations } = (deployment ?? service)?.metadata ?? {};
  const version = annotations?.[ANNOTATION.version];
  return { number, ...(version !== undefined && { version }) };
}

/** All revision numbers on objects of the release, recorded or not. A new revision gets none of them. */
export function usedNumbers({ deployments, services, rollbacks }: Observed): number[] {
  const run = deployments.map(({ metadata }) => metadata.labels?.[LABEL.revision]);
  const noted = services.map(notedRevision);
  const held = rollbacks.flatMap(({ status }) => [
    status?.heldAgainst,
    ...(status?.pools ?? []).flatMap(({ from, to }) => [from, to]),
  ]);
  return [...run, ...noted, ...held].map(Number).filter(isNumber);
}
