import { describe, expect, it } from '@jest/globals';
import { commonPasswords } from './common-passwords.js';
import { checkNewPassword, shortestPassword } from './password-rules.js';

describe('checkNewPassword', () => {
  it.each(['tinkering sparrow', 'aaaaaaaaaaab', 'ключ от квартиры', '🔑'.repeat(6) + 'abcdef', 'x'.repeat(255) + 'y'])(
    'takes %s',
    (password) => {
      expect(() => checkNewPassword(password, 'ada@example.com')).not.toThrow();
    },
  );

  it.each([
    ['too short', 'elevenchars', 'ada@example.com'],
    ['too long', 'xy'.repeat(129), 'ada@example.com'],
    ['the e-mail', 'Ada@Example.com', 'ada@example.com'],
    ['the name in the e-mail', 'ada.lovelace', 'ada.lovelace@example.com'],
    ['a common one', 'Password1234', 'ada@example.com'],
    ['one character', 'aaaaaaaaaaaaaa', 'ada@example.com'],
  ])('refuses what is %s', (_, password, email) => {
    expect(() => checkNewPassword(password, email)).toThrow(
      expect.objectContaining({ kind: 'invalid', reason: 'weak_password', hint: expect.any(String) }),
    );
  });

  it('lists no common password that the length refuses anyway, and each in lower case', () => {
    expect(
      [...commonPasswords].filter(
        (password) => password.length < shortestPassword || password !== password.toLowerCase(),
      ),
    ).toEqual([]);
  });
});
