/** Records the wanted revision as a ControllerRevision that the release owns. Pure. */
import { ANNOTATION } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { revisionName } from '../record/names.ts';
import type { Facts } from '../record/recorded-data.ts';
import { ownershipOf } from '../record/ownership.ts';
import { wantsTheLost } from '../state/lost-record.ts';
import type { Rollout, View } from '../state/view.ts';
import { sizesOfNew } from './edited-sizes.ts';

/** Records the wanted revision once its digests are known and the API server accepts its template. */
export function recordRevision(view: Rollout): Action[] {
  const { wanted } = view;
  if (wantsTheLost(view)) return [];
  if (wanted.state === 'Unproven') {
    const { hash, deployment, exists, refused } = wanted;
    if (refused) return [];
    const message = 'ask the API server whether it accepts the template';
    return [{ kind: 'DryRun', message, hash, deployment, exists }];
  }
  if (wanted.state !== 'New') return [];
  const { version } = wanted.data.input;
  return [
    {
      kind: 'CreateRevision',
      message: `record revision ${wanted.number} of version ${version}`,
      name: revisionName(view.owner.name, wanted.number),
      number: wanted.number,
      data: wanted.data,
      annotations: { [ANNOTATION.version]: version, ...firstFacts(view) },
      notices: [
        {
          type: 'Normal',
          reason: 'RevisionRecorded',
          note: `revision ${wanted.number} pins version ${version}: ${Object.values(wanted.data.images)
            .map(({ image }) => image)
            .join(', ')}`.slice(0, 1000),
        },
      ],
    },
  ];
}

function firstFacts(view: Rollout): Record<string, string> {
  const facts: Facts = { pools: sizesOfNew(view), approvals: {} };
  return Object.keys(facts.pools).length > 0 ? { [ANNOTATION.facts]: JSON.stringify(facts) } : {};
}

/** Adds the owner reference to records that lost it, for example by a restore: without it they outlive the release. */
export function ownRevisions({ observed, owner }: View): Action[] {
  return observed.revisions
    .filter(({ metadata }) => ownershipOf(metadata, owner) === 'Orphan')
    .map((object) => ({
      kind: 'OwnRevision',
      message: `add the owner reference to ${object.metadata.name}`,
      target: targetOf(object),
    }));
}
