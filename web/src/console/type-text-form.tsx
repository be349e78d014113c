import { Button, Group, Popover, Stack, Text, Textarea } from '@mantine/core';
import { useState } from 'react';
import type { TypingFailure } from './remote-screen';

/** A box whose text is typed into the VM: the clipboard of this computer does not reach it otherwise. */
export function TypeTextForm({
  isEnabled,
  onType,
}: {
  isEnabled: boolean;
  onType: (text: string) => Promise<TypingFailure>;
}) {
  const [isOpen, setOpen] = useState(false);
  const [text, setText] = useState('');
  const [isTyping, setTyping] = useState(false);
  const [failure, setFailure] = useState<TypingFailure>();
  const type = async () => {
    setTyping(true);
    const failed = await onType(text);
    setTyping(false);
    setFailure(failed);
    if (failed !== undefined) return;
    setText('');
    setOpen(false);
  };
  return (
    <Popover opened={isOpen} onChange={setOpen} trapFocus withArrow position="bottom-end" width={360}>
      <Popover.Target>
        <Button size="xs" variant="default" disabled={!isEnabled} onClick={() => setOpen(!isOpen)}>
          Type text
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <Textarea
            label="Text to type into the VM"
            description="Paste it here; it is typed by the layout that the VM has."
            autosize
            minRows={3}
            maxRows={10}
            maxLength={4096}
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value);
              setFailure(undefined);
            }}
            error={failure}
            data-autofocus
          />
          <Group justify="flex-end">
            <Button size="xs" loading={isTyping} disabled={!text} onClick={() => void type()}>
              Type
            </Button>
          </Group>
          <Text size="xs" c="dimmed">
            A line break is the Enter key.
          </Text>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
