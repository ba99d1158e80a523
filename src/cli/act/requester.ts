/** The name of the user, for spec.requestedBy. */
import type { KubeObject, Resource } from '../../kube/types.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import type { Session } from '../session.ts';

/** https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/self-subject-review-v1/ */
export const SELF_SUBJECT_REVIEWS: Resource<KubeObject & { status?: { userInfo?: { username?: string } } }> = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
};

/** The limit of spec.requestedBy. */
const LONGEST = 253;

/** As the API server knows the user; undefined without the right to ask, or if the API server is too old to say it. */
export async function readRequester({ client, io }: Pick<Session, 'client' | 'io'>): Promise<string | undefined> {
  const { apiVersion, kind } = SELF_SUBJECT_REVIEWS;
  try {
    const { status } = await client.create(SELF_SUBJECT_REVIEWS, { apiVersion, kind });
    const name = status?.userInfo?.username ?? '';
    return name === '' || name.length > LONGEST ? undefined : name;
  } catch (error) {
    if (!isForbidden(error) && !isNotFound(error)) throw error;
    io.err('note: the object does not name you: you have no right to create selfsubjectreviews\n');
    return undefined;
  }
}
