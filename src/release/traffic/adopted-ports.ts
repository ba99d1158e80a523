/** The ports of an adopted Service, which its owner writes: whether they lead to a port of the pods. Pure. */
import { hasPort, namedPorts } from '../record/named-ports.ts';
import type { Revision } from '../record/revision.ts';
import type { Group } from '../state/view.ts';

/** Why clients of an adopted Service would reach no port of the revision; undefined if they would. A number needs no container port. */
export function portMissing({ adopted, service, serviceName }: Group, { data }: Revision): string | undefined {
  if (!adopted || !service) return undefined;
  const { version, template } = data.input;
  const ports = namedPorts(template);
  const missing = (service.spec.ports ?? []).find(
    ({ targetPort, protocol = 'TCP' }) => typeof targetPort === 'string' && !hasPort(ports, targetPort, protocol),
  );
  if (!missing) return undefined;
  const names = ports.map(({ name }) => name).join(', ') || 'none';
  return `port ${missing.port} of the adopted Service ${serviceName ?? ''} leads to the ${missing.protocol ?? 'TCP'} port named ${JSON.stringify(missing.targetPort)}, which no container of version ${version} has (it has: ${names}): name a container port so, or change targetPort of the Service`;
}
