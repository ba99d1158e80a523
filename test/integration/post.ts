// Direct requests to the API server, because kubectl for each object would take minutes.
import { readFileSync } from 'node:fs';
import { Agent, fetch } from 'undici';
import { KINDS } from '../../src/api/kinds.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { ClusterDetails } from '../cluster/types.ts';

/** An object of a kind of the group. */
export interface GroupObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Record<string, unknown>;
}

/** The answers of the API server to a POST. */
export interface Poster {
  /** The stored object. @throws Error with the API server's message */
  readonly create: (object: GroupObject) => Promise<GroupObject>;
  /** Why the API server refuses the object from the admin or another user, without storing it; undefined if it accepts. */
  readonly refusal: (object: GroupObject, user?: string) => Promise<string | undefined>;
  /** Whether a user may do something. */
  readonly can: (user: string, verb: string, resource: string, subresource?: string) => Promise<boolean>;
  readonly close: () => Promise<void>;
}

export function groupObject(kind: string, name: string, spec: GroupObject['spec']): GroupObject {
  return { apiVersion: API_VERSION, kind, metadata: { name }, spec };
}

/** Sends requests as admin, in one namespace where the kind has one. */
export function createPoster({ url, caFile, adminToken }: ClusterDetails, namespace: string): Poster {
  const dispatcher = new Agent({ connect: { ca: readFileSync(caFile) } });

  async function post(path: string, body: object, user?: string): Promise<unknown> {
    const headers = {
      authorization: `Bearer ${adminToken}`,
      'content-type': 'application/json',
      ...(user !== undefined && { 'impersonate-user': user }),
    };
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), dispatcher });
    const answer = await response.json();
    if (!response.ok) throw new Error((answer as { message: string }).message);
    return answer;
  }

  function pathOf({ kind }: GroupObject): string {
    const { plural = '', scope } = KINDS.find((definition) => definition.kind === kind) ?? {};
    const place = scope === 'Cluster' ? '' : `/namespaces/${namespace}`;
    return `/apis/${API_VERSION}${place}/${plural}?fieldValidation=Strict`;
  }

  return {
    create: async (object) => (await post(pathOf(object), object)) as GroupObject,
    refusal: (object, user) =>
      post(`${pathOf(object)}&dryRun=All`, object, user).then(
        () => undefined,
        (error: unknown) => (error as Error).message,
      ),
    can: async (user, verb, resource, subresource = '') => {
      const [name = '', ...group] = resource.split('.');
      const attributes = { namespace, verb, group: group.join('.'), resource: name, subresource };
      const review = await post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: { user, resourceAttributes: attributes },
      });
      return (review as { status: { allowed: boolean } }).status.allowed;
    },
    close: () => dispatcher.close(),
  };
}
