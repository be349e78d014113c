import { fromRoot } from '../api/from-root';

/** What the page's own URL says: `/console/<vm>#token=…`. The token is in the fragment, which the browser sends to nobody. */
export interface ConsoleLink {
  vmName: string;
  /** Absent: the link was copied without its end. */
  token: string | undefined;
  viewOnly: boolean;
  /** Where the screen comes from. */
  socketUrl: string;
}

export function readConsoleLink(page: URL): ConsoleLink {
  const fragment = new URLSearchParams(page.hash.slice(1));
  const socketUrl = fromRoot('/api/vms/console');
  socketUrl.protocol = page.protocol === 'https:' ? 'wss:' : 'ws:';
  return {
    vmName: decodeURIComponent(page.pathname.split('/').pop() ?? ''),
    token: fragment.get('token') ?? undefined,
    viewOnly: fragment.get('view') === 'only',
    socketUrl: socketUrl.href,
  };
}
