import { describe, expect, it } from '@jest/globals';
import { ProgramError } from '#libs/platform';
import type { PlannedStep } from '../configure/image-plan.js';
import { configurationFailure } from './configure.stage.js';

const steps: PlannedStep[] = [
  { argv: ['locale-gen'] },
  { argv: ['useradd', 'ada'], from: '/users/0' },
  {
    argv: ['test', '-x', '/bin/zsh'],
    from: '/users/0/shell',
    failure: '/bin/zsh is not in the image, so the user could not log in.',
  },
  { path: '/srv/link/x', content: '', from: '/files/3' },
];
const failure = (stdout: string) => {
  const { whose, message, hint, lastLines } = configurationFailure(
    Object.assign(Object.create(ProgramError.prototype) as ProgramError, { result: { stdout } }),
    steps,
  );
  return { whose, message, hint, lastLines };
};

describe('what a failed configure stage says', () => {
  it('is the field of the recipe, and the words of the program', () => {
    expect(failure("all well\nuseradd: user 'ada' already exists\nuseradd ended with 9\nFAILED STEP 2\n")).toEqual({
      whose: 'caller',
      message:
        "The recipe's settings could not be applied at /recipe/users/0: useradd: user 'ada' already exists; useradd ended with 9.",
      hint: 'Change what the recipe says at /recipe/users/0.',
      lastLines: ['all well', "useradd: user 'ada' already exists", 'useradd ended with 9'],
    });
  });

  it('is what a check means, where the program is silent', () => {
    expect(failure('test ended with 1\nFAILED STEP 3\n').message).toBe(
      "The recipe's settings could not be applied at /recipe/users/0/shell: /bin/zsh is not in the image, so the user could not log in.",
    );
  });

  it('is why nothing stays in a place that a link leads to', () => {
    expect(failure('LOST /run/x\nFAILED STEP 4\n').message).toMatch(
      /at \/recipe\/files\/3: \/run\/x is empty again at every boot: .*\.$/,
    );
  });

  it('is the last words, where no step is to blame', () => {
    expect(failure('perl: killed\n')).toMatchObject({
      message: "The recipe's settings could not be applied: perl: killed.",
      hint: expect.stringContaining('last lines'),
    });
  });
});
