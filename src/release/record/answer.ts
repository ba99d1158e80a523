/**
 * What a ReleaseRollback or a ReleasePromotion was answered, in an annotation of the object: a restore from a backup keeps
 * annotations, but neither the status nor the UIDs. Anybody who may create the object can write the annotation. Pure.
 */
import * as z from 'zod';
import { ANNOTATION } from '../../api/meta.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { conditionIs, findCondition } from '../../api/conditions.ts';
import { CONDITIONS } from '../../api/reasons.ts';
import { releasePromotionStatus, type ReleasePromotionStatus } from '../../api/release-promotion.ts';
import { releaseRollbackStatus, type ReleaseRollbackStatus } from '../../api/release-rollback.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { readJson } from './recorded.ts';

const message = z.string().max(32768);

/** A copy of the object under another name is a new request. */
const of = z.string();
/** Bounds that leave room for later answers. */
const number = z
  .int()
  .min(1)
  .max(2 ** 31);

const rollbackAnswer = z.object({
  of,
  rejected: z.object({ reason: z.enum(CONDITIONS.ReleaseRollback.Accepted.False), message }).optional(),
  accepted: releaseRollbackStatus
    .omit({ conditions: true, releaseUID: true })
    .extend({ sequence: number, acceptedAt: z.iso.datetime() })
    .optional(),
});

const promotionAnswer = z.object({
  of,
  rejected: z.object({ reason: z.enum(CONDITIONS.ReleasePromotion.Accepted.False), message }).optional(),
  bound: releasePromotionStatus
    .omit({ conditions: true, releaseUID: true })
    .extend({ revision: number, attempt: number.optional(), accepted: z.boolean() })
    .optional(),
});

export type RollbackAnswer = Omit<z.infer<typeof rollbackAnswer>, 'of'>;
export type PromotionAnswer = Omit<z.infer<typeof promotionAnswer>, 'of'>;

type Answered<Status> = { metadata: ObjectMeta; status?: Status };

export function readRollbackAnswer({ metadata }: Answered<unknown>): RollbackAnswer | undefined {
  return read(rollbackAnswer, metadata);
}

export function readPromotionAnswer({ metadata }: Answered<unknown>): PromotionAnswer | undefined {
  return read(promotionAnswer, metadata);
}

/** The annotation of a rollback that was answered; undefined before. It changes only when the hold of a pool ends. */
export function rollbackAnswerOf({ metadata, status }: Answered<ReleaseRollbackStatus>): string | undefined {
  const rejected = rejectionOf(status?.conditions);
  if (rejected) return write(metadata, { rejected });
  if (status?.acceptedAt === undefined) return undefined;
  const { conditions: _conditions, releaseUID: _uid, ...accepted } = status;
  const isOver =
    accepted.endedAt !== undefined || (accepted.pools ?? []).every(({ supersededBy }) => supersededBy !== undefined);
  // The completion of a hold in force is seen again, and needs no write of its own.
  const pools = (accepted.pools ?? []).map(({ completedAt, ...pool }) =>
    isOver && completedAt !== undefined ? { ...pool, completedAt } : pool,
  );
  return write(metadata, { accepted: { ...accepted, pools } });
}

/** The annotation of a promotion that is bound to a revision; undefined before. */
export function promotionAnswerOf({ metadata, status }: Answered<ReleasePromotionStatus>): string | undefined {
  const rejected = rejectionOf(status?.conditions);
  if (rejected) return write(metadata, { rejected });
  if (status?.revision === undefined) return undefined;
  const { revision, attempt, completedAt } = status;
  const accepted = conditionIs(status.conditions, 'Accepted', 'True');
  return write(metadata, {
    bound: {
      revision,
      accepted,
      ...(attempt !== undefined && { attempt }),
      ...(completedAt !== undefined && { completedAt }),
    },
  });
}

function rejectionOf(conditions: ReleaseRollbackStatus['conditions']): { reason: string; message: string } | undefined {
  const accepted = findCondition(conditions, 'Accepted');
  return accepted?.status === 'False' ? { reason: accepted.reason, message: accepted.message } : undefined;
}

function write({ name }: ObjectMeta, answer: object): string {
  return canonicalJson({ of: name, ...answer });
}

function read<Schema extends z.ZodType<{ of: string }>>(
  schema: Schema,
  { name, annotations }: ObjectMeta,
): z.infer<Schema> | undefined {
  const answer = readJson(schema, annotations?.[ANNOTATION.answer]);
  return answer?.of === name ? answer : undefined;
}
