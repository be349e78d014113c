import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AccountKeys, CallerService, loadSettings, PlatformModule, type Caller } from '#libs/platform';
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.js';
import { until } from '../../../test/support/until.js';
import { AccountRepository } from './accounts/account.repository.js';
import { FirstAdministrator } from './accounts/first-administrator.js';
import { PasswordService } from './accounts/password.service.js';
import { SignUpRepository } from './accounts/sign-up.repository.js';
import { SignUpService } from './accounts/sign-up.service.js';
import { AdministrationService } from './admin/administration.service.js';
import { InvitationService } from './admin/invitation.service.js';
import { GuessLimits } from './guessing/guess-limits.js';
import { IdentityJobs } from './identity.jobs.js';
import { IdentityModule } from './identity.module.js';
import { identityEntities } from './index.js';
import { AccountLinks } from './links/account-link.service.js';
import { SignInService, type SignedIn } from './sign-in/sign-in.service.js';

let database: TestDatabase;
let context: INestApplicationContext;
const password = 'tinkering sparrow';
const of = <T>(type: new (...args: never[]) => T): T => context.get(type);
const tokenOf = (url: string) => url.split('#token=')[1]!;
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: { reason?: string }) => error.reason,
  );
let people = 0;
/** Somebody new with an address of their own, so that no limit of another test is theirs. */
const person = async (role: 'user' | 'admin' = 'user') => {
  const email = `person-${++people}@example.com`;
  const { url } = await of(AdministrationService).create(email, role);
  await of(PasswordService).reset(tokenOf(url), password);
  const { id } = await of(AdministrationService).findByEmail(email);
  const attempt = { email, password, address: `192.0.2.${people}`, userAgent: 'jest' };
  return { id, email, attempt, signIn: () => of(SignInService).signIn(attempt) };
};
const callerOf = async ({ accessToken }: SignedIn): Promise<Caller> =>
  await of(CallerService).resolve(
    { headers: { authorization: `Bearer ${accessToken}` }, socket: { remoteAddress: '192.0.2.200' } } as never,
    'rest',
  );
const rewind = (signInId: string, seconds: number) =>
  database.query(`UPDATE sign_in SET refreshed_at = refreshed_at - make_interval(secs => $2) WHERE id = $1`, [
    signInId,
    seconds,
  ]);
const sessionOf = ({ principalId }: Caller) => principalId.replace('session:', '');

beforeAll(async () => {
  database = await cloneDatabase();
  const { settings } = loadSettings({
    OPENFACTORY_LOG_LEVEL: 'silent',
    OPENFACTORY_DATA_DIR: '/tmp/openfactory-test-data',
    DATABASE_URL: database.url,
    OPENFACTORY_SECRET: 'x'.repeat(32),
    OPENFACTORY_SIGN_UP: 'open',
  });
  const module = await Test.createTestingModule({
    imports: [
      PlatformModule.forRoot({
        settings,
        databaseUrl: database.url,
        secret: 'x'.repeat(32),
        entities: identityEntities,
      }),
      IdentityModule,
    ],
  }).compile();
  context = module.createNestApplication({ logger: false });
  await (context as unknown as { init(): Promise<unknown> }).init();
}, 60_000);
afterAll(async () => {
  await context?.close();
  await database?.drop();
});

describe('the first account', () => {
  it('is made once by one link, whoever is first', async () => {
    const older = tokenOf((await of(FirstAdministrator).prepare())!);
    const newer = tokenOf((await of(FirstAdministrator).prepare())!);
    const set = (token: string, email: string) => refusal(of(SignUpService).setUp({ token, email, password }));
    expect(await set(older, 'old@example.com')).toBe('invalid_link');
    const outcomes = await Promise.all([set(newer, 'one@example.com'), set(newer, 'two@example.com')]);
    expect(outcomes.filter((reason) => reason === undefined)).toHaveLength(1);
    expect(outcomes).toContain('already_set_up');
    expect(await database.query('SELECT role FROM account')).toEqual([{ role: 'admin' }]);
    expect(await of(FirstAdministrator).prepare()).toBeUndefined();
  });
});

describe('signing in', () => {
  it('gives a caller that owns what the account owns, and stands on session and account', async () => {
    const ada = await person();
    const caller = await callerOf(await ada.signIn());
    expect(caller).toMatchObject({
      kind: 'user',
      ownerId: `user:${ada.id}`,
      isAdmin: false,
      readOnly: false,
      toolsets: undefined,
      address: '192.0.2.200',
      expiresAt: expect.any(Number),
    });
    expect(caller.principalId).toMatch(/^session:[0-9a-f-]{36}$/);
    expect(caller.revocationSubjects).toEqual([caller.principalId, caller.ownerId]);
    expect(await of(CallerService).currentGrant(caller.principalId)).toMatchObject({
      ownerId: caller.ownerId,
      principalId: caller.principalId,
    });
    expect(await of(CallerService).currentGrant(caller.ownerId)).toMatchObject({
      principalId: caller.ownerId,
      revocationSubjects: [caller.ownerId],
    });
    for (const nobody of ['session:x', `session:${randomUUID()}`, `user:${randomUUID()}`, "user:' OR 1=1"])
      expect(await of(CallerService).currentGrant(nobody)).toBeUndefined();
  });

  it('keeps the password as argon2id, and no address of a stranger', async () => {
    const { email } = await person();
    await refusal(
      of(SignInService).signIn({ email: 'stranger@example.com', password, address: '192.0.2.201', userAgent: '' }),
    );
    const rows = JSON.stringify([
      await database.query('SELECT * FROM account'),
      await database.query('SELECT * FROM guess_limit'),
      await database.query('SELECT * FROM account_link'),
    ]);
    expect(rows).toContain('$argon2id$v=19$m=19456,t=2,p=1$');
    expect(rows).not.toContain(password);
    expect(rows).not.toContain('stranger');
    expect(rows).toContain(email);
  });

  it('is refused alike for the wrong password, no account, and a disabled one', async () => {
    const known = await person();
    const disabled = await person();
    await of(AdministrationService).change(disabled.id, { disabled: true });
    const refused = async (attempt: object) =>
      await of(SignInService)
        .signIn({ ...known.attempt, ...attempt })
        .then(
          () => undefined,
          (error: Error) => ({ ...error, message: error.message }),
        );
    const wrong = await refused({ password: 'another sparrow' });
    expect(wrong).toMatchObject({ reason: 'invalid_credentials' });
    expect(await refused({ email: 'nobody@example.com' })).toEqual(wrong);
    expect(await refused(disabled.attempt)).toEqual(wrong);
  });

  it('is slowed after five wrong guesses, also for an address that has no account', async () => {
    for (const email of [(await person()).email, 'nobody-at-all@example.com']) {
      const guess = (guessed = 'wrong guess here', address = `198.51.100.${people}`) =>
        of(SignInService).signIn({ email, password: guessed, address, userAgent: '' });
      const reasons = await Promise.all(Array.from({ length: 8 }, () => refusal(guess())));
      expect(reasons.sort()).toEqual([
        ...Array<string>(5).fill('invalid_credentials'),
        ...Array<string>(3).fill('too_many_attempts'),
      ]);
      await expect(guess(password)).rejects.toMatchObject({
        kind: 'quota',
        reason: 'too_many_attempts',
        retryAfterSeconds: expect.any(Number),
      });
      people++;
      expect(await refusal(guess())).toBe('invalid_credentials');
    }
  });

  it('counts again from nothing after it worked', async () => {
    const { attempt, signIn } = await person();
    for (let round = 0; round < 2; round++) {
      for (let tries = 0; tries < 4; tries++)
        expect(await refusal(of(SignInService).signIn({ ...attempt, password: 'wrong guess here' }))).toBe(
          'invalid_credentials',
        );
      await signIn();
    }
  });

  it('does not count what failed for another reason', async () => {
    const guess = { email: 'busy@example.com', address: '203.0.113.9' };
    for (let tries = 0; tries < 10; tries++)
      expect(
        await refusal(
          of(GuessLimits).attempt(guess, () =>
            Promise.reject(Object.assign(new Error('busy'), { reason: 'too_busy' })),
          ),
        ),
      ).toBe('too_busy');
  });
});

describe('refresh tokens', () => {
  it('are exchanged; the one before gives the same successor for a moment, so that nothing forks', async () => {
    const first = await (await person()).signIn();
    const successors = await Promise.all(
      Array.from({ length: 5 }, () => of(SignInService).refresh(first.refreshToken)),
    );
    const [second, ...others] = [...new Set(successors.map(({ refreshToken }) => refreshToken))];
    expect(others).toEqual([]);
    expect(second).not.toBe(first.refreshToken);
    expect(
      await database.query('SELECT refresh_count FROM sign_in WHERE id = $1', [sessionOf(await callerOf(first))]),
    ).toEqual([{ refresh_count: 1 }]);
    expect((await of(SignInService).refresh(second!)).refreshToken).not.toBe(second);
  });

  it.each([
    ['long after its exchange', 1],
    ['two exchanges ago, at once', 2],
  ])('end the session when one is used again: %s', async (_, exchanges) => {
    const first = await (await person()).signIn();
    const caller = await callerOf(first);
    let latest = first.refreshToken;
    for (let count = 0; count < exchanges; count++) latest = (await of(SignInService).refresh(latest)).refreshToken;
    if (exchanges === 1) await rewind(sessionOf(caller), 11);
    expect(await refusal(of(SignInService).refresh(first.refreshToken))).toBe('refresh_token_reused');
    expect(await refusal(of(SignInService).refresh(latest))).toBe('invalid_refresh_token');
    expect(await until(() => refusal(callerOf(first)), Boolean)).toBe('invalid_token');
    expect(await database.query('SELECT 1 FROM revocation WHERE subject = $1', [caller.principalId])).toHaveLength(1);
  });

  it('are over with their session', async () => {
    const signedIn = await (await person()).signIn();
    await database.query('UPDATE sign_in SET expires_at = now() WHERE id = $1', [sessionOf(await callerOf(signedIn))]);
    expect(await refusal(of(SignInService).refresh(signedIn.refreshToken))).toBe('invalid_refresh_token');
  });
});

describe('sessions', () => {
  it('are listed and ended by their owner alone', async () => {
    const [ada, bob] = [await person(), await person()];
    const [mine, theirs] = [await callerOf(await ada.signIn()), await callerOf(await bob.signIn())];
    const other = await callerOf(await ada.signIn());
    expect((await of(SignInService).list(mine)).map(({ id }) => `session:${id}`).sort()).toEqual(
      [mine.principalId, other.principalId].sort(),
    );
    for (const id of [sessionOf(theirs), randomUUID(), 'nonsense'])
      expect(await refusal(of(SignInService).endOwn(mine, id))).toBe('session_not_found');
    await of(SignInService).endOwn(mine, sessionOf(other));
    expect(await of(CallerService).currentGrant(other.principalId)).toBeUndefined();
    expect(await of(CallerService).currentGrant(theirs.principalId)).toBeDefined();
    await of(SignInService).signOutEverywhere(mine);
    expect(await of(SignInService).list(mine)).toEqual([]);
  });

  it('end with a change of password, but not the one that changed it', async () => {
    const ada = await person();
    const [here, there] = [await callerOf(await ada.signIn()), await callerOf(await ada.signIn())];
    expect(await refusal(of(PasswordService).change(here, { current: 'not this one!', next: 'second sparrow' }))).toBe(
      'wrong_password',
    );
    expect(await refusal(of(PasswordService).change(here, { current: password, next: ada.email }))).toBe(
      'weak_password',
    );
    await of(PasswordService).change(here, { current: password, next: 'second sparrow' });
    expect(await of(CallerService).currentGrant(here.principalId)).toBeDefined();
    expect(await of(CallerService).currentGrant(there.principalId)).toBeUndefined();
    expect(await refusal(ada.signIn())).toBe('invalid_credentials');
  });

  it('end with their keys, or the password stays', async () => {
    const ada = await person();
    const [here, there] = [await callerOf(await ada.signIn()), await callerOf(await ada.signIn())];
    let broken = true;
    const revoked: string[] = [];
    of(AccountKeys).register({
      list: () => Promise.resolve([]),
      revokeAll: (_manager, accountId) =>
        broken
          ? Promise.reject(new Error('No keys can be revoked now.'))
          : Promise.resolve(void revoked.push(accountId)),
    });
    const change = () =>
      of(PasswordService).change(here, { current: password, next: 'second sparrow', revokesKeys: true });
    await expect(change()).rejects.toThrow('No keys');
    await ada.signIn();
    expect(await of(CallerService).currentGrant(there.principalId)).toBeDefined();
    broken = false;
    await change();
    expect([revoked, await refusal(ada.signIn())]).toEqual([[ada.id], 'invalid_credentials']);
  });
});

describe('administrators', () => {
  it('cannot take each other away at once until none is left', async () => {
    await database.query("UPDATE account SET role = 'user'");
    const [one, two] = [await person('admin'), await person('admin')];
    const reasons = await Promise.all([
      refusal(of(AdministrationService).change(one.id, { role: 'user' })),
      refusal(of(AdministrationService).change(two.id, { disabled: true })),
    ]);
    expect(reasons.filter((reason) => reason === undefined)).toHaveLength(1);
    expect(reasons).toContain('last_administrator');
  });

  it('end whatever a disabled account has', async () => {
    const ada = await person();
    const caller = await callerOf(await ada.signIn());
    expect((await of(AdministrationService).change(ada.id, { disabled: true })).disabledAt).toBeInstanceOf(Date);
    expect(await of(CallerService).currentGrant(caller.ownerId)).toBeUndefined();
    expect(await of(CallerService).currentGrant(caller.principalId)).toBeUndefined();
    expect(await database.query('SELECT 1 FROM revocation WHERE subject = $1', [caller.ownerId])).toHaveLength(1);
    expect(await refusal(of(AdministrationService).resetLink(ada.id))).toBe('user_disabled');
    await of(AdministrationService).change(ada.id, { disabled: false });
    expect(await of(CallerService).currentGrant(caller.principalId)).toBeUndefined();
    await expect(ada.signIn()).resolves.toBeDefined();
  });

  it('make somebody sign in anew by another role', async () => {
    const ada = await person();
    const caller = await callerOf(await ada.signIn());
    await of(AdministrationService).change(ada.id, { role: 'user' });
    expect(await of(CallerService).currentGrant(caller.principalId)).toBeDefined();
    await of(AdministrationService).change(ada.id, { role: 'admin' });
    expect(await of(CallerService).currentGrant(caller.principalId)).toBeUndefined();
    expect(await callerOf(await ada.signIn())).toMatchObject({ isAdmin: true });
  });
});

describe('links', () => {
  it('of an invitation make one account, of its role, for its address', async () => {
    const { url, id } = await of(InvitationService).invite({ email: 'eve@example.com', role: 'admin' });
    const join = (email: string) =>
      refusal(of(SignUpService).signUp({ invitation: tokenOf(url), email, password, address: '203.0.113.1' }));
    expect((await of(InvitationService).list()).map((invitation) => invitation.id)).toContain(id);
    expect(await join('mallory@example.com')).toBe('invitation_of_another');
    expect((await Promise.all([join('eve@example.com'), join('eve@example.com')])).sort()).toEqual([
      'invalid_link',
      undefined,
    ]);
    expect(await of(AdministrationService).findByEmail('eve@example.com')).toMatchObject({ role: 'admin' });
    expect((await of(InvitationService).list()).map((invitation) => invitation.id)).not.toContain(id);
  });

  it('of an invitation tell nothing about an address that has an account, and leave it alone', async () => {
    const ada = await person();
    const answers = [];
    for (const email of [ada.email, 'brand-new@example.com']) {
      const { url } = await of(InvitationService).invite({});
      answers.push(
        await of(SignUpService).signUp({
          invitation: tokenOf(url),
          email,
          password: 'another sparrow',
          address: '203.0.113.2',
        }),
      );
    }
    expect(answers[0]).toEqual(answers[1]);
    await expect(ada.signIn()).resolves.toBeDefined();
  });

  it('do nothing when they were taken back, are over, or are of another kind', async () => {
    const taken = await of(InvitationService).invite({});
    await of(InvitationService).withdraw(taken.id);
    expect(await refusal(of(InvitationService).withdraw(taken.id))).toBe('invitation_not_found');
    const over = await of(InvitationService).invite({});
    await database.query('UPDATE account_link SET expires_at = now() WHERE id = $1', [over.id]);
    const reset = await of(AdministrationService).resetLink((await person()).id);
    for (const { url } of [taken, over, reset])
      expect(
        await refusal(
          of(SignUpService).signUp({
            invitation: tokenOf(url),
            email: 'x@example.com',
            password,
            address: '203.0.113.3',
          }),
        ),
      ).toBe('invalid_link');
    const invitation = tokenOf((await of(InvitationService).invite({})).url);
    expect(await refusal(of(PasswordService).reset(invitation, password))).toBe('invalid_link');
    for (const kind of ['setup', 'reset', 'confirm'] as const)
      expect(
        await refusal(of(DataSource).transaction((manager) => of(AccountLinks).use(manager, kind, invitation))),
      ).toBe('invalid_link');
    for (const token of ['', 'x', invitation.slice(1), 'A'.repeat(64)])
      expect(await refusal(of(SignUpService).confirm({ token, password }))).toBe('invalid_link');
  });

  it('to set a password: the newest one, once', async () => {
    const ada = await person();
    const older = await of(AdministrationService).resetLink(ada.id);
    const newer = await of(AdministrationService).resetLink(ada.id);
    const session = await callerOf(await ada.signIn());
    expect(await refusal(of(PasswordService).reset(tokenOf(older.url), 'second sparrow'))).toBe('invalid_link');
    const reasons = await Promise.all(
      [1, 2].map(() => refusal(of(PasswordService).reset(tokenOf(newer.url), 'second sparrow'))),
    );
    expect(reasons.sort()).toEqual(['invalid_link', undefined]);
    expect(await of(CallerService).currentGrant(session.principalId)).toBeUndefined();
  });
});

describe('open sign-up', () => {
  it('answers alike for an address that has an account, which stays as it is', async () => {
    const ada = await person();
    const answer = (email: string) =>
      of(SignUpService).signUp({ email, password: 'another sparrow', address: `203.0.113.${++people}` });
    expect(await answer(ada.email)).toEqual(await answer(`fresh-${people}@example.com`));
    await expect(ada.signIn()).resolves.toBeDefined();
  });
});

describe('an account that waits to be confirmed', () => {
  it('has the password of whoever reads the mail, by the newest link, once', async () => {
    const email = `waiting-${++people}@example.com`;
    const ask = async () => tokenOf((await of(SignUpRepository).issueConfirmation(email))!);
    const [older, newer] = [await ask(), await ask()];
    const signIn = () => of(SignInService).signIn({ email, password, address: '203.0.113.77', userAgent: '' });
    expect(await refusal(of(SignUpService).confirm({ token: older, password }))).toBe('invalid_link');
    expect(await refusal(signIn())).toBe('invalid_credentials');
    const reasons = await Promise.all([1, 2].map(() => refusal(of(SignUpService).confirm({ token: newer, password }))));
    expect(reasons.sort()).toEqual(['invalid_link', undefined]);
    await expect(signIn()).resolves.toMatchObject({ account: { email, role: 'user' } });
    expect(await of(SignUpRepository).issueConfirmation(email)).toBeUndefined();
  });
});

describe('housekeeping', () => {
  it('forgets sign-ins a month after their end, and links that do nothing any more', async () => {
    const ada = await person();
    const [old, recent] = [
      sessionOf(await callerOf(await ada.signIn())),
      sessionOf(await callerOf(await ada.signIn())),
    ];
    await database.query("UPDATE sign_in SET ended_at = now() - interval '31 days' WHERE id = $1", [old]);
    await database.query('UPDATE sign_in SET ended_at = now() WHERE id = $1', [recent]);
    const { id } = await of(InvitationService).invite({});
    await of(IdentityJobs).purgeExpired();
    expect(
      (await database.query('SELECT id FROM sign_in WHERE account_id = $1', [ada.id])).map((row) => row.id),
    ).toEqual([recent]);
    expect(await database.query('SELECT id FROM account_link WHERE used_at IS NOT NULL OR expires_at < now()')).toEqual(
      [],
    );
    expect((await of(InvitationService).list()).map((invitation) => invitation.id)).toContain(id);
    expect(await of(AccountRepository).find(ada.id)).not.toBeNull();
  });
});
