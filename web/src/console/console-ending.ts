/** Why there is no screen, and what to do. */
export interface ConsoleEnding {
  title: string;
  advice: string;
  /** Whether another try with the same link may help. */
  canRetry: boolean;
}

const newLink = 'Ask for a new link: the tool get_vm_console_url, or POST /api/vms/{name}/console-url.';

/** By the word that the factory closes the connection with. */
const endings: Record<string, ConsoleEnding> = {
  no_token: {
    title: 'This link is not whole',
    advice: `Its end, from the # on, is missing. Copy the whole link. ${newLink}`,
    canRetry: false,
  },
  console_link_invalid: {
    title: 'This link is not valid',
    advice: `It was not made by this factory, or was changed on its way. ${newLink}`,
    canRetry: false,
  },
  console_link_expired: { title: 'This link has expired', advice: newLink, canRetry: false },
  console_link_revoked: {
    title: 'The right to this console was taken away',
    advice: `Whoever made the link signed out, or their key was revoked. ${newLink}`,
    canRetry: false,
  },
  vm_not_found: { title: 'There is no such VM any more', advice: 'It was deleted.', canRetry: false },
  vm_not_running: {
    title: 'The VM is not running',
    advice: 'Start it with start_vm, then connect again.',
    canRetry: true,
  },
  vm_host_elsewhere: {
    title: 'The VM runs on another host',
    advice: 'Open the link at the address of that host.',
    canRetry: false,
  },
  guest_ended: {
    title: 'The VM has stopped',
    advice: 'It was switched off, stopped or deleted. Start it with start_vm, then connect again.',
    canRetry: true,
  },
  console_quota: {
    title: 'Too many consoles are open',
    advice: 'Close another one, then connect again.',
    canRetry: true,
  },
  console_flooded: {
    title: 'This browser sent more than the factory takes',
    advice: 'Connect again; paste long texts in parts.',
    canRetry: true,
  },
  console_time_over: { title: 'This console was open for its longest time', advice: newLink, canRetry: true },
  factory_stopping: { title: 'The factory is stopping', advice: 'Connect again when it is back.', canRetry: true },
  protocol_violation: {
    title: 'The screen’s connection was misunderstood',
    advice: 'Connect again. If it happens again, tell the operator of this factory.',
    canRetry: true,
  },
};

export function endingOf(reason: string): ConsoleEnding {
  return (
    endings[reason] ?? {
      title: 'The connection was lost',
      advice: 'Check the network, then connect again.',
      canRetry: true,
    }
  );
}
