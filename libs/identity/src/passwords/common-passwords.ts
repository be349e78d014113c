/** The commonest passwords that are long enough to pass the rule of length, in lower case (from public lists of leaked passwords). */
export const commonPasswords: ReadonlySet<string> = new Set([
  '123456789012', '1234567890123', '12345678901234', '123456789123', '1234567890123456', '012345678910', '0123456789012', '123123123123', '123412341234', '123454321234',
  '111222333444', '112233445566', '121212121212', '987654321098', '098765432109', '147258369147', '123321123321', '102030405060', '010203040506', '1q2w3e4r5t6y',
  '1q2w3e4r5t6y7u', '1q2w3e4r5t6y7u8i', '1qaz2wsx3edc', '1qaz2wsx3edc4rfv', 'q1w2e3r4t5y6', 'qazwsxedcrfv', 'qazwsxedcrfvtgb', 'zaq12wsxcde3', 'qwerty123456', 'qwerty1234567',
  'qwerty12345678', 'qwertyuiop12', 'qwertyuiop123', 'qwertyuiop1234', 'qwertyuiop[]', 'qwertyqwerty', 'qwertyuiopas', 'qwertyuiopasdf', 'asdfghjkl123', 'asdfghjkl1234',
  'asdfasdfasdf', 'zxcvbnm12345', 'abcdefghijkl', 'abcdefghijklm', 'abcdefghijklmnop', 'abcdefghijklmnopqrstuvwxyz', 'abcdef123456', 'abc123abc123', 'abcd1234abcd',
  'abcd12345678', 'a1b2c3d4e5f6', 'aa1234567890', 'password1234', 'password12345', 'password123456', 'password123!', 'password1234!', 'password2024', 'password2025',
  'password2026', 'passwordpassword', 'password123password', 'p@ssword1234', 'p@ssw0rd1234', 'p@ssw0rd123!', 'passw0rd1234', 'passw0rd123!', 'mypassword12', 'mypassword123',
  'newpassword1', 'newpassword123', 'thisismypassword', 'changeme1234', 'changeme12345', 'changemenow1', 'changeit1234', 'administrator', 'administrator1', 'administrator123',
  'adminadmin12', 'adminadminadmin', 'admin1234567', 'admin12345678', 'admin123admin', 'adminpassword', 'rootpassword', 'rootrootroot', 'superadmin123', 'welcome12345',
  'welcome123456', 'welcome12345!', 'welcomewelcome', 'letmeinletmein', 'letmein12345', 'letmein123456', 'iloveyou1234', 'iloveyou12345', 'iloveyouforever', 'iloveyouiloveyou',
  'iloveyousomuch', 'sunshine1234', 'princess1234', 'football1234', 'baseball1234', 'superman1234', 'trustno1trustno1', 'monkeymonkey', 'dragondragon', 'computer1234',
  'internet1234', 'testtesttest', 'test12345678', 'testpassword', 'secretsecret', 'secretpassword', 'default12345', 'temporary123', 'temppassword', 'summer202612',
  'correcthorsebatterystaple', 'correct horse battery staple', 'openfactory1', 'openfactory12', 'openfactory123', 'openfactoryopenfactory',
]);
