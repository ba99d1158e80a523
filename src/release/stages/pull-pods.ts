/** A pod that pulls the images of a version on one VM. Each image is a container that never runs. Pure. */
import { LABEL } from '../../api/meta.ts';
import type { Node } from '../../scheduling/objects.ts';
import { objectName } from '../record/names.ts';
import { shortHash } from '../../lib/canonical-json.ts';
import type { DesiredPod } from '../record/kube-objects.ts';
import { poolTemplate } from '../state/pool-template.ts';
import { ownerReference } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import { templateImages } from '../record/revision.ts';
import type { PoolView, Rollout } from '../state/view.ts';

/**
 * A command that no image has, so that each container fails before it runs code of the image. This also works for images
 * without a shell.
 */
const NOTHING = '/apprelease-pulls-this-image-and-runs-nothing';

export function makePull(view: Rollout, pool: PoolView, revision: Revision, node: Node): DesiredPod {
  const { owner } = view;
  const template = poolTemplate(view, pool, revision);
  const { imagePullSecrets, serviceAccountName, tolerations } = template.spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: objectName(owner.name, pool.name, revision.number, 'pull', shortHash(node.metadata.uid)),
      namespace: owner.namespace,
      labels: {
        [LABEL.release]: owner.name,
        [LABEL.pool]: pool.name,
        [LABEL.pull]: String(revision.number),
        [LABEL.managedBy]: 'apprelease',
      },
      ownerReferences: [ownerReference(owner)],
    },
    spec: {
      ...(imagePullSecrets !== undefined && { imagePullSecrets }),
      ...(serviceAccountName !== undefined && { serviceAccountName }),
      nodeSelector: pool.placement.nodeSelector,
      tolerations,
      affinity: onlyOn(node),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: templateImages(template).map((image, index) => container(`image-${index + 1}`, image)),
    },
  };
}

function container(name: string, image: string): object {
  return {
    name,
    image,
    imagePullPolicy: 'IfNotPresent',
    command: [NOTHING],
    // A quota may require resources. The start of a container needs about 50 ms of CPU, so a low CPU limit would slow it
    // down.
    resources: { requests: { cpu: '1m', memory: '16Mi' }, limits: { cpu: '500m', memory: '16Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
}

/** Node affinity to one VM, as the DaemonSet controller sets it. The scheduler still checks that the pod fits. */
function onlyOn({ metadata }: Node): object {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [metadata.name] }];
  const nodeSelectorTerms = [{ matchFields }];
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } };
}
