// KWOK Stages for simulated nodes and pods (https://kwok.sigs.k8s.io/docs/user/stages-configuration/).
//
// KWOK plays, on each change of an object, the one Stage whose selector matches it, after the Stage's delay. Selectors are jq
// expressions over the object, patches are Go templates.

const prefix = 'sim.apprelease.dev';

/** Nodes with this label have a running kubelet; without it nobody renews their lease, and their pods are left as they are. */
export const kubeletLabel = `${prefix}/kubelet`;

/** Node annotations with this prefix name the images that the node has pulled; removing one removes the image. */
export const imageAnnotationPrefix = `image.${prefix}/`;

/** See Behaviour. */
export const behaviourAnnotation = `${prefix}/behaviour`;

/** A Go duration from the scheduling of a pod to its containers running. */
const startDelayAnnotation = `${prefix}/start-delay`;

/** A Go duration from the deletion of a pod until it is gone. */
const terminationDelayAnnotation = `${prefix}/termination-delay`;

/** A kubelet reports at most so many images (KubeletConfiguration.nodeStatusMaxImages). */
const maxImages = 50;

const behavioursInImages = 'unready|never-ready|crash-loop|missing|registry-down|slow-start|wrong-digest';

// Every selector is evaluated for every change of a pod, in one thread, and the API server drops a watcher that is slow:
// no regular expressions here, and cheap conditions that are mostly false come first in a selector.
const jqDefinitions = `
def behaviour:
  .metadata.annotations["${behaviourAnnotation}"]
  // (.spec.containers[0].image as $image
      | first((${behavioursInImages
        .split('|')
        .map((name) => `"${name}"`)
        .join(', ')}) as $name
          | select($image | contains($name)) | $name))
  // "ready";
def turns_ready: behaviour as $it | $it == "ready" or $it == "slow-start" or $it == "wrong-digest";
def runs: behaviour as $it | turns_ready or $it == "unready" or $it == "never-ready";
def pull_fails: behaviour as $it | $it == "missing" or $it == "registry-down";
def accepted: .status.startTime != null;
def running: .status.containerStatuses as $all | $all != null and all($all[]; .state.running != null);
def waiting: .status.containerStatuses[0].state.waiting.reason;
def restarts: .status.containerStatuses[0].restartCount // 0;
def is_true($type): any(.status.conditions[]?; .type == $type and .status == "True");
def images: .metadata.annotations // {} | to_entries
  | map(select(.key | startswith("${imageAnnotationPrefix}")).value) | .[:${maxImages}];
def reported_images: [.status.images[]?.names[0]];
`;

/** Template variables that describe a pod. */
const podVariables = `
{{- $now := quote Now }}
{{- $annotations := or .metadata.annotations dict }}
{{- $image := (index .spec.containers 0).image }}
{{- $behaviour := or (index $annotations "${behaviourAnnotation}") (regexFind "${behavioursInImages}" $image) "ready" }}
{{- $restarts := 0 }}
{{- range .status.containerStatuses }}{{ $restarts = .restartCount }}{{ end }}
`;

/** Template functions over an image reference: the name without tag and digest, and `name@digest`. */
const imageTemplates = `
{{- define "name" }}{{ regexReplaceAll "(:[^:/@]+)?(@.*)?$" . "" }}{{ end }}
{{- define "id" }}{{ template "name" . }}@{{ or (regexFind "sha256:.*$" .) (printf "sha256:%s" (sha256sum .)) }}{{ end }}
{{- define "wrong-id" }}{{ template "name" . }}@sha256:{{ sha256sum (print "wrong" .) }}{{ end }}
`;

interface Delay {
  readonly milliseconds: number;
  readonly atMost?: number;
  /** jq expression of a duration that replaces both; none when it yields nothing. */
  readonly from?: string;
}

type Step = { readonly status: string } | { readonly nodeStatus: string } | { readonly delete: true };

interface Stage {
  readonly kind: 'Pod' | 'Node';
  readonly name: string;
  /** jq expression that says whether it is played. */
  readonly when: string;
  readonly delay?: Delay;
  readonly steps: readonly Step[];
}

const podStages: readonly Omit<Stage, 'kind'>[] = [
  {
    name: 'accept',
    when: 'accepted | not',
    steps: [
      {
        status: `
phase: Pending
observedGeneration: {{ .metadata.generation }}
startTime: {{ $now }}
hostIP: {{ NodeIPWith .spec.nodeName }}
hostIPs: [{ip: {{ NodeIPWith .spec.nodeName }}}]
conditions:
- {type: PodReadyToStartContainers, status: "False", lastTransitionTime: {{ $now }}}
- {type: Initialized, status: {{ if .spec.initContainers }}"False"{{ else }}"True"{{ end }}, lastTransitionTime: {{ $now }}}
${conditions('False', 'ContainersNotReady')}
initContainerStatuses:
${statuses('initContainers', 'ready: false, started: false, imageID: "", state: {waiting: {reason: PodInitializing}}')}
containerStatuses:
${statuses('containers', 'ready: false, started: false, imageID: "", state: {waiting: {reason: ContainerCreating}}')}`,
      },
    ],
  },
  {
    name: 'start',
    when: 'accepted and (running | not) and runs',
    delay: { milliseconds: 100, atMost: 300, from: `.metadata.annotations["${startDelayAnnotation}"] // empty` },
    steps: [
      {
        status: `
{{ $ready := has $behaviour (list "ready" "wrong-digest") }}
{{ $podIP := or .status.podIP (PodIPWith .spec.nodeName (or .spec.hostNetwork false) .metadata.uid .metadata.name .metadata.namespace) }}
phase: Running
podIP: {{ $podIP }}
podIPs: [{ip: {{ $podIP }}}]
conditions:
- {type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $now }}}
- {type: Initialized, status: "True", lastTransitionTime: {{ $now }}}
{{ if $ready }}
${conditions('True')}
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
{{ if eq (or .restartPolicy "") "Always" }}
- {name: {{ .name }}, image: {{ .image }}, imageID: {{ template "id" .image }}, ready: true, started: true, restartCount: 0, state: {running: {startedAt: {{ $now }}}}}
{{ else }}
- {name: {{ .name }}, image: {{ .image }}, imageID: {{ template "id" .image }}, ready: true, started: false, restartCount: 0, state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now }}, finishedAt: {{ $now }}}}}
{{ end }}
{{ end }}
containerStatuses:
${statuses('containers', 'ready: {{ $ready }}, started: true, imageID: {{ if eq $behaviour "wrong-digest" }}{{ template "wrong-id" .image }}{{ else }}{{ template "id" .image }}{{ end }}, state: {running: {startedAt: {{ $now }}}}')}`,
      },
      {
        nodeStatus: `
metadata:
  annotations:
  {{- range concat .spec.containers (or .spec.initContainers list) }}
    ${imageAnnotationPrefix}{{ sha1sum .image }}: {{ if contains "@" .image }}{{ template "id" .image }}{{ else }}{{ .image }}{{ end }}
  {{- end }}`,
      },
    ],
  },
  {
    name: 'turn-ready',
    when: '(is_true("Ready") | not) and running and turns_ready',
    delay: { milliseconds: 50, from: 'if behaviour == "slow-start" then "5s" else empty end' },
    steps: [readiness('True')],
  },
  {
    name: 'turn-unready',
    when: 'is_true("Ready") and running and runs and (turns_ready | not)',
    steps: [readiness('False', 'ContainersNotReady')],
  },
  {
    name: 'crash',
    when: 'accepted and (restarts < 5 or waiting != "CrashLoopBackOff") and behaviour == "crash-loop"',
    delay: { milliseconds: 200, atMost: 400 },
    steps: [
      {
        status: `
{{ $restarts = add1 $restarts }}
phase: Running
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now }}}
{{ if eq $restarts 1 }}
${conditions('False', 'ContainersNotReady')}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name }}
  image: {{ .image }}
  imageID: {{ template "id" .image }}
  ready: false
  started: false
  restartCount: {{ $restarts }}
  lastState: {terminated: {exitCode: 1, reason: Error, startedAt: {{ $now }}, finishedAt: {{ $now }}}}
  state: {waiting: {reason: CrashLoopBackOff, message: "back-off 10s restarting failed container={{ .name }} pod={{ $.metadata.name }}_{{ $.metadata.namespace }}({{ $.metadata.uid }})"}}
{{ end }}`,
      },
    ],
  },
  {
    name: 'fail-pull',
    when: 'accepted and (running | not) and waiting != "ErrImagePull" and waiting != "ImagePullBackOff" and pull_fails',
    delay: { milliseconds: 100, atMost: 300 },
    steps: [pullFailure('ErrImagePull', '$error')],
  },
  {
    name: 'back-off-pull',
    when: 'waiting == "ErrImagePull" and pull_fails',
    delay: { milliseconds: 300 },
    steps: [pullFailure('ImagePullBackOff', 'printf "Back-off pulling image %q: ErrImagePull: %s" .image $error')],
  },
  {
    name: 'complete',
    when: '.spec.restartPolicy != "Always" and running and behaviour == "ready"',
    delay: { milliseconds: 200 },
    steps: [
      {
        status: `
phase: Succeeded
conditions:
${conditions('False', 'PodCompleted')}
containerStatuses:
${statuses('containers', 'ready: false, started: false, imageID: {{ template "id" .image }}, state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now }}, finishedAt: {{ $now }}}}')}`,
      },
    ],
  },
];

const stages: readonly Stage[] = [
  ...podStages.map((stage): Stage => {
    const alive = '.metadata.deletionTimestamp == null and .status.phase != "Succeeded" and .status.phase != "Failed"';
    return { ...stage, kind: 'Pod', name: `pod-${stage.name}`, when: `${alive} and (${stage.when})` };
  }),
  {
    kind: 'Pod',
    name: 'pod-terminate',
    when: '.metadata.deletionTimestamp != null',
    delay: { milliseconds: 200, from: `.metadata.annotations["${terminationDelayAnnotation}"] // empty` },
    steps: [{ delete: true }],
  },
  {
    kind: 'Node',
    name: 'node-start',
    when: 'is_true("Ready") | not',
    steps: [
      {
        status: `
{{ $now := quote Now }}
conditions:
{{ range NodeConditions }}
- {type: {{ .type }}, status: {{ .status | quote }}, reason: {{ .reason }}, message: {{ .message }}, lastHeartbeatTime: {{ $now }}, lastTransitionTime: {{ $now }}}
{{ end }}`,
      },
    ],
  },
  {
    kind: 'Node',
    name: 'node-images',
    when: 'is_true("Ready") and images != reported_images',
    steps: [
      {
        status: `
images:
{{ $count := 0 }}
{{ range $key, $image := .metadata.annotations }}
{{ if and (hasPrefix "${imageAnnotationPrefix}" $key) (lt $count ${maxImages}) }}
{{ $count = add1 $count }}
- {names: [{{ $image | quote }}], sizeBytes: 10000000}
{{ end }}
{{ end }}`,
      },
    ],
  },
];

function conditions(status: 'True' | 'False', reason?: string): string {
  const rest = `status: "${status}", reason: ${reason ?? '""'}, lastTransitionTime: {{ $now }}`;
  return `- {type: Ready, ${rest}}\n- {type: ContainersReady, ${rest}}`;
}

function statuses(list: 'containers' | 'initContainers', rest: string): string {
  const restarts = list === 'containers' ? '{{ $restarts }}' : '0';
  return `{{ range .spec.${list} }}\n- {name: {{ .name }}, image: {{ .image | quote }}, restartCount: ${restarts}, ${rest}}\n{{ end }}`;
}

function readiness(status: 'True' | 'False', reason?: string): Step {
  const ready = status.toLowerCase();
  return {
    status: `
conditions:
${conditions(status, reason)}
containerStatuses:
{{ range .status.containerStatuses }}
- {name: {{ .name }}, image: {{ .image | quote }}, imageID: {{ .imageID | quote }}, restartCount: {{ .restartCount }}, ready: ${ready}, started: true, state: {running: {startedAt: {{ .state.running.startedAt }}}}}
{{ end }}`,
  };
}

/** The message is a template expression, which may use `$error`: what containerd says. */
function pullFailure(reason: string, message: string): Step {
  return {
    status: `
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now }}}
containerStatuses:
{{ range .spec.containers }}
{{ $error := printf "failed to pull and unpack image %q: failed to resolve reference %q" .image .image }}
{{ if eq $behaviour "missing" }}
{{ $error = printf "rpc error: code = NotFound desc = %s: %s: not found" $error .image }}
{{ else }}
{{ $error = printf "rpc error: code = Unknown desc = %s: unexpected status from HEAD request: 503 Service Unavailable" $error }}
{{ end }}
- {name: {{ .name }}, image: {{ .image }}, imageID: "", restartCount: {{ $restarts }}, ready: false, started: false, state: {waiting: {reason: ${reason}, message: {{ ${message} | quote }}}}}
{{ end }}`,
  };
}

/** KWOK's configuration file: its options and the Stages. */
export function kwokConfiguration(): string {
  const options = {
    apiVersion: 'config.kwok.x-k8s.io/v1alpha1',
    kind: 'KwokConfiguration',
    options: {
      manageAllNodes: false,
      manageNodesWithLabelSelector: kubeletLabel,
      cidr: '10.128.0.0/9',
      podPlayStageParallelism: 16,
      nodePlayStageParallelism: 4,
      nodeLeaseDurationSeconds: 40,
      nodeLeaseParallelism: 4,
      podsOnNodeSyncParallelism: 4,
    },
  };
  return [options, ...stages.map(stageObject)].map((object) => JSON.stringify(object, undefined, 2)).join('\n---\n');
}

function stageObject(stage: Stage): object {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name: stage.name },
    spec: {
      resourceRef: { apiGroup: 'v1', kind: stage.kind },
      selector: { matchExpressions: [{ jq: { key: jqDefinitions + stage.when, operator: 'In', values: ['true'] } }] },
      ...(stage.delay === undefined ? {} : { delay: delayObject(stage.delay) }),
      steps: stage.steps.map((step) => stepObject(stage, step)),
    },
  };
}

function delayObject({ milliseconds, atMost, from }: Delay): object {
  const expression = from === undefined ? undefined : { jq: { expression: jqDefinitions + from } };
  return {
    durationMilliseconds: milliseconds,
    durationFrom: expression,
    // KWOK takes the jitter alone when it is less than the duration: a duration from an expression must be both.
    jitterDurationMilliseconds: atMost ?? milliseconds,
    jitterDurationFrom: expression,
  };
}

function stepObject(stage: Stage, step: Step): object {
  if ('delete' in step) return step;
  const variables = imageTemplates + (stage.kind === 'Pod' ? podVariables : '');
  if ('status' in step) return { patch: { subresource: 'status', root: 'status', template: variables + step.status } };
  const node = 'apiVersion: v1\nkind: Node';
  const template = `${variables}${node}${step.nodeStatus.replace('metadata:', 'metadata:\n  name: {{ .spec.nodeName }}')}`;
  return { apply: { subresource: 'status', type: 'merge', template } };
}
