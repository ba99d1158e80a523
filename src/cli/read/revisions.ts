/** The recorded revisions of a release, and how two of them differ. Pure but for the read. */
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import type { Pair } from 'yaml';
import { isScalar, stringify } from 'yaml';
import { REVISIONS, toCachedRevision } from '../../controller/kinds/revisions.ts';
import type { KubeClient } from '../../kube/types.ts';
import type { Revision } from '../../release/record/revision.ts';
import { hasBarrier, parseRevision, portsOf } from '../../release/record/revision.ts';
import { CliError } from '../exit-codes.ts';
import { readOwned } from './releases.ts';

/** The oldest first. A ControllerRevision without readable data is left out, such as the ledger. */
export async function readRevisions(client: KubeClient, namespace: string, name: string): Promise<Revision[]> {
  const objects = await readOwned(client, REVISIONS, namespace, name);
  return objects
    .flatMap((object) => parseRevision(toCachedRevision(object)) ?? [])
    .toSorted((one, other) => one.number - other.number);
}

/**
 * The revision with this number, else the newest one of this version.
 * @throws CliError if there is none
 */
export function findRevision(revisions: readonly Revision[], text: string): Revision {
  const found =
    revisions.find(({ number }) => String(number) === text) ??
    revisions.findLast(({ data }) => data.input.version === text);
  if (found) return found;
  const known = revisions.map(titleOf).join(', ');
  throw new CliError(`no revision or version ${text} is recorded: there is ${known === '' ? 'none yet' : known}`);
}

/** A unified diff of what the revisions record; empty if they record the same. */
export function diffOf(before: Revision, after: Revision): string {
  const [one, other] = [textOf(before), textOf(after)];
  if (one === other) return '';
  return createTwoFilesPatch(titleOf(before), titleOf(after), one, other, undefined, undefined, {
    headerOptions: FILE_HEADERS_ONLY,
  });
}

export function titleOf({ number, data }: Revision): string {
  return `revision ${number} (${data.input.version})`;
}

/** What a revision records, as YAML in one order of the keys: another order is no difference. */
function textOf(revision: Revision): string {
  const { input, images } = revision.data;
  const { version, template, pools } = input;
  const parts = {
    version,
    barrier: hasBarrier(revision),
    ports: portsOf(input),
    template,
    pools,
    images: Object.fromEntries(Object.entries(images).map(([name, { image }]) => [name, image])),
  };
  return Object.entries(parts)
    .map(([part, value]) =>
      stringify(
        { [part]: value },
        { sortMapEntries: nameFirst, aliasDuplicateObjects: false, indentSeq: false, lineWidth: 0 },
      ),
    )
    .join('');
}

/** Sorted, but for the name of a container, a variable or a volume. */
function nameFirst({ key: one }: Pair, { key: other }: Pair): number {
  const [a, b] = [one, other].map((key) => String(isScalar(key) ? key.value : key)) as [string, string];
  return Number(b === 'name') - Number(a === 'name') || (a < b ? -1 : 1);
}
