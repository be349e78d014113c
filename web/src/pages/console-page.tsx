import { Alert, Badge, Button, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useEffect, useRef } from 'react';
import type { ConsoleLink } from '../console/console-link';
import { TypeTextForm } from '../console/type-text-form';
import { useRemoteScreen, type ScreenPhase } from '../console/use-remote-screen';

/** The screen of one VM, for whoever holds its link. */
export function ConsolePage({ link }: { link: ConsoleLink }) {
  const page = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const toolbar = useRef<HTMLDivElement>(null);
  const { phase, screen, reconnect } = useRemoteScreen(link, canvas);
  const canType = phase.name === 'connected' && !link.viewOnly;
  useEffect(() => {
    document.title = `${link.vmName} – console`;
  }, [link.vmName]);
  useEffect(
    () =>
      leaveScreenByKey(() => {
        screen.current?.releaseShortcut();
        toolbar.current?.querySelector<HTMLElement>('button:not(:disabled)')?.focus();
      }),
    [screen],
  );

  return (
    <div className="console" ref={page}>
      <Group component="header" justify="space-between" px="sm" py={6} gap="sm">
        <Group gap="sm">
          <Title order={1} size="h5">
            {link.vmName}
          </Title>
          <div role="status" aria-live="polite" data-testid="status">
            <PhaseBadge phase={phase} viewOnly={link.viewOnly} />
          </div>
        </Group>
        <Group gap="xs" role="toolbar" aria-label="Console" ref={toolbar}>
          <Button size="xs" variant="default" disabled={!canType} onClick={() => screen.current?.sendCtrlAltDel()}>
            Ctrl+Alt+Del
          </Button>
          <TypeTextForm
            isEnabled={canType}
            onType={async (text) => {
              const failure = await screen.current?.type(text);
              if (failure === undefined) screen.current?.focus();
              return failure;
            }}
          />
          <Button size="xs" variant="default" onClick={() => void toggleFullScreen(page.current)}>
            Full screen
          </Button>
          <Button size="xs" variant="default" onClick={reconnect}>
            Reconnect
          </Button>
        </Group>
      </Group>
      <main className="console-screen" aria-label={`Screen of ${link.vmName}. Ctrl+Alt+Home leaves it.`}>
        <div className="console-canvas" ref={canvas} data-testid="screen" />
        {phase.name === 'connecting' && (
          <div className="console-ended">
            <Loader aria-label="Connecting" />
          </div>
        )}
        {phase.name === 'ended' && (
          <div className="console-ended">
            <Alert role="alert" title={phase.ending.title} color="red" maw={480} variant="filled">
              <Stack gap="sm" align="flex-start">
                <Text size="sm">{phase.ending.advice}</Text>
                {phase.ending.canRetry && (
                  <Button size="xs" variant="white" color="red" onClick={reconnect}>
                    Connect again
                  </Button>
                )}
              </Stack>
            </Alert>
          </div>
        )}
      </main>
    </div>
  );
}

function PhaseBadge({ phase, viewOnly }: { phase: ScreenPhase; viewOnly: boolean }) {
  if (phase.name === 'connecting') return <Badge color="yellow">Connecting</Badge>;
  if (phase.name === 'ended') return <Badge color="red">Ended</Badge>;
  return <Badge color="green">{viewOnly ? 'Connected, view only' : 'Connected'}</Badge>;
}

/** The screen takes every key, Tab included: one combination gives the focus back (WCAG 2.1.2, No Keyboard Trap). @returns how to stop listening */
function leaveScreenByKey(leave: () => void): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (!event.ctrlKey || !event.altKey || event.code !== 'Home') return;
    event.preventDefault();
    event.stopImmediatePropagation();
    leave();
  };
  window.addEventListener('keydown', onKey, { capture: true });
  return () => window.removeEventListener('keydown', onKey, { capture: true });
}

async function toggleFullScreen(element: HTMLElement | null): Promise<void> {
  // A browser may refuse; the page stays as it is then.
  await (document.fullscreenElement ? document.exitFullscreen() : element?.requestFullscreen())?.catch(() => undefined);
}
