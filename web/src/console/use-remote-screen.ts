import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';
import { endingOf, type ConsoleEnding } from './console-ending';
import type { ConsoleLink } from './console-link';
import { RemoteScreen } from './remote-screen';

export type ScreenPhase = { name: 'connecting' } | { name: 'connected' } | { name: 'ended'; ending: ConsoleEnding };

export interface RemoteScreenHandle {
  phase: ScreenPhase;
  screen: RefObject<RemoteScreen | null>;
  reconnect: () => void;
}

/** Connects when the page is shown, and again when asked to. */
export function useRemoteScreen(link: ConsoleLink, target: RefObject<HTMLElement | null>): RemoteScreenHandle {
  const [phase, setPhase] = useState<ScreenPhase>({ name: 'connecting' });
  const [attempt, setAttempt] = useState(0);
  const screen = useRef<RemoteScreen | null>(null);
  useEffect(() => {
    if (!target.current) return undefined;
    const opened = new RemoteScreen(link, target.current, {
      onConnected: () => setPhase({ name: 'connected' }),
      onEnded: (reason) => setPhase({ name: 'ended', ending: endingOf(reason) }),
    });
    screen.current = opened;
    opened.open().catch(() => setPhase({ name: 'ended', ending: endingOf('') }));
    return () => opened.close();
  }, [link, target, attempt]);
  const reconnect = useCallback(() => {
    setPhase({ name: 'connecting' });
    setAttempt((count) => count + 1);
  }, []);
  return { phase, screen, reconnect };
}
