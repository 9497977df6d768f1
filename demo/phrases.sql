-- Phrases by theme. A literal matches without regard to case, any run of
-- white space counts as one space, and it starts and ends at word boundaries.
--
-- Two kinds share one set, so that a message is scanned once; the name of each
-- phrase begins with its theme:
--   theme 'word'   single words with a weight, chosen and weighed by train.py
--                  (words.csv): together a linear text model. \copy reads it
--                  from the current folder
--   other themes   written by hand, without a weight; the signals count the
--                  distinct hits of each

SELECT assay.create_phrase_set('wording', description => 'what the signals look for in subject and body'),
       assay.create_phrase_set('traits', description => 'expressions over subject:, mailer:, type:, id:, relay: and url: lines')
\g /dev/null

CREATE TEMP TABLE word (word text, weight real);
\copy word FROM words.csv WITH (FORMAT csv, HEADER)

-- in one statement, since each compiles the set
INSERT INTO assay.phrase (set, name, pattern, theme, weight)
SELECT 'wording', theme || ':' || pattern, pattern, theme, 0
FROM (VALUES
	('money', '{make money, make money fast, extra income, earn money, earn extra, cash bonus, cash flow, easy money,
		financial freedom, financially independent, income potential, per week, per month income, residual income,
		second income, six figure, unlimited income, weekly income, your own boss, work from home, work at home,
		home based business, home business, business opportunity, multi level, mlm, network marketing, downline,
		get paid, get rich, wealth, millionaire, big bucks, potential earnings, investment opportunity, start your own business,
		be your own boss, double your, fast cash, free cash, free grant, government grants, cash grants, money making,
		no experience, proven system, serious income, thousands of dollars, turn your, while you sleep, pure profit}'),
	('stock', '{penny stock, stock alert, stock pick, stock symbol, strong buy, undervalued, hot stock, otcbb, otc bb, nasdaq otc,
		shares outstanding, price target, forward looking statements, forward-looking statements, securities act, short term target,
		investor alert, stock profile, next big winner, breakout, microcap, private placement}'),
	('loan', '{refinance, refinancing, mortgage, mortgage rates, mortgage rate, home loan, home equity, lowest rates, low interest rate,
		interest rates, consolidate your debt, debt consolidation, debt free, out of debt, get out of debt, eliminate debt, bad credit,
		no credit check, credit report, credit card debt, credit repair, clean credit, your credit, credit cards, merchant account,
		accept credit cards, accepting credit cards, pre-approved, preapproved, loan application, lenders compete, lenders,
		life insurance, term life, insurance quote, free quote, free quotes, health insurance, lower your monthly payments, unsecured credit,
		approval rate, instant approval, collect judgments, judicial judgments, money judgments, foreclosure}'),
	('pharmacy', '{viagra, cialis, phentermine, xenical, propecia, zyban, prescription, prescriptions, online pharmacy, pharmacy, weight loss,
		lose weight, lost weight, lose up to, burn fat, diet pill, diet, pounds, herbal, growth hormone, human growth, hgh, anti-aging, aging process,
		penis, enlargement, enlarge your, impotence, erection, ejaculation, sexual performance, libido, breast, hair loss, stop smoking, no prescription,
		without a prescription, doctor approved, fda approved, all natural, natural supplement, muscle tone, cholesterol, energy levels,
		wrinkle, miracle, snoring, detox, vitamins, metabolism}'),
	('adult', '{xxx, porn, porno, hardcore, sex, sexy, nude, naked, teens, horny, pussy, cum, sluts, lesbian, adult site, adult sites, adults only, adult entertainment, live girls,
		webcam, hot girls, girls, over 18, over 21, 18 years, must be 18, barely legal, uncensored, celebrities, hidden cam, voyeur, fantasies, singles, personals,
		meet women, sex life, explicit, membership, free pass, free preview}'),
	('advance_fee', '{next of kin, transfer of funds, transfer the sum, foreign account, foreign partner, bank account, your bank account, million dollars, million united states dollars,
		us dollars, usd, deposited, sum of, late father, my late, late husband, deceased, strictly confidential, confidential, utmost confidence, mutual benefit,
		business proposal, business relationship, your assistance, urgent assistance, assist me, nigeria, nigerian, lagos, sierra leone, abidjan, cote d''ivoire, ivory coast,
		congo, zimbabwe, south africa, minister, barrister, attorney, beneficiary, claim, consignment, security company, diplomatic, inheritance, percent of the total, risk free,
		i am the, son of, wife of, president of, dear sir, contract payment, god bless}'),
	('lottery', '{you have won, you are a winner, winner, congratulations, prize, prizes, lottery, sweepstakes, free vacation, vacation package, casino, casinos, gambling, sportsbook, jackpot,
		win cash, won a, you have been selected, specially selected, claim your prize, free gift, free gifts, free trip, gift certificate, bonus}'),
	('credentials', '{verify your account, confirm your account, update your account, account information, your password, your account, account number, credit card number, social security,
		security alert, suspended, log in to your account, login to your, billing information, verification, click here to verify, expire, unauthorized}'),
	('call_to_action', '{click here, click below, click on the link, click the link, click this link, click here now, visit our web, visit our website, visit our site, visit us, order now, order today, order form, to order,
		act now, act today, call now, call today, call toll free, toll free, toll-free, call us, fill out the form, reply to this email with, sign up, sign up now, join now, join today, apply now,
		buy now, buy direct, get started, download now, see for yourself, go here, print and mail, mail to, fax, fax to, money order, check or money order, 24 hours, 24 hours a day, operators are standing by, please allow, shipping and handling}'),
	('urgency', '{urgent, limited time, limited time offer, limited offer, special offer, special promotion, offer expires, expires, while supplies last, once in a lifetime, one time, one time mailing, don''t miss, do not delete, don''t delete,
		don''t wait, hurry, immediately, instant, today only, now only, last chance, final notice, important notice, important information, read this, please read, amazing, incredible, unbelievable, fantastic, exclusive offer,
		what are you waiting, before it, deadline, time sensitive, act fast}'),
	('guarantee', '{guarantee, guaranteed, money back, money-back, 100%, no obligation, no risk, risk-free, no cost, no fees, no strings attached, no questions asked, absolutely free, completely free, free trial, free sample, free membership, free consultation,
		free information, free report, free offer, free of charge, for free, totally free, free access, satisfaction, satisfied, secret, secrets, best price, lowest price, lowest prices, low prices, discount, save up to, save big, savings, half price,
		bargain, wholesale, cheap, only $, just $, as low as, as seen on, testimonials, success stories, credit card, visa, mastercard, affordable, compare, retail price, off retail, brand new, high quality, top quality, not a scam, scam, this is not, legal}'),
	('bulk_software', '{bulk email, bulk e-mail, bulk mail, bulk mailing, email marketing, e-mail marketing, email addresses, e-mail addresses, million addresses, million email, opt-in, opt in, optin, targeted, mass mail, direct email, direct mail, email list, mailing lists, marketing list,
		web traffic, hits to your, search engine, search engines, search engine listing, submit your, internet marketing, advertise, advertising, promote your, your web site, your website, online marketing, web hosting, hosting, domain names, cell phone, long distance, cable descrambler,
		descrambler, inkjet, ink cartridges, toner, toners, cartridges, university diploma, diploma, diplomas, degree, non-accredited, cd-rom, satellite tv, dvd copy, copy dvd, spy, find out anything, background check, detective, internet detective}'),
	('opt_out', '{to be removed, be removed, to remove, removal, remove me, remove your, removed from, removed from our, remove in the subject, type remove, remove link, removal instructions, unsubscribe here, opt-out, opt out, optout,
		to unsubscribe, unsubscribe from, no longer wish, no longer want, you no longer, stop receiving, not wish to receive, prefer not to, future mailings, further mailings, receive future, mailing list, this mailing,
		you are receiving this, you received this, you have received this, received this email, received this message in error, in error, this email was sent, this message is sent, this is not spam, not spam, is not unsolicited, unsolicited,
		commercial email, in compliance, complies with, section 301, bill s.1618, s. 1618, title iii, senate bill, cannot be considered spam, third paragraph, we apologize, apologize for, sorry for, hit reply, one-time, subscribed, affiliate, affiliates, partner sites,
		marketing partners, our partners, at no cost, privacy policy, you opted}'),
	('greeting', '{dear friend, dear friends, dear sir or madam, dear homeowner, dear customer, dear valued, dear member, dear investor, dear business owner, hello friend, attention, attn, hi there, good day, greetings, to whom it may, fellow entrepreneur, dear future, my dear}'),
	('reply', '{wrote, writes, original message, on behalf of, in reply to, said, quoting, date:, from:, sent:, to:, subject:, re:, cheers, regards, thanks, hth, imho, imo, afaik, btw, iirc, fwiw, ianal, fyi}'),
	('list_footer', '{mailman/listinfo, mailing list, maintainer, listmaster, list-request, un-subscription, listinfo, yahoo groups, to unsubscribe send, list archive, list archives, users mailing list, freshrpms, digest, subscribe, unsubscribe, newsletter, headlines, issue, edit your subscription}'),
	('technical', '{linux, unix, windows, debian, redhat, red hat, kernel, perl, python, java, apache, sendmail, postfix, procmail, rpm, rpms, apt-get, cvs, patch, bug, bugs, bugzilla, gcc, compile, compiler, script, scripts, shell, bash, root, server, config, configure, install, installed, package, packages, module, modules, library,
		source code, open source, code, debug, error, errors, exploit, vulnerability, security, ssh, ssl, http, tcp, dns, gnome, kde, emacs, mozilla, ximian, xml, html, sql, mysql, database, file, files, directory, command, port, driver, drivers, partition, boot, hardware, memory, disk, daemon, log, cron, regex, string, function, variable,
		pgp, gnupg, gpg, signature, key, mime, smtp, imap, header, headers, spamassassin, razor, filter, filters, false positives, blacklist, spam}'),
	('discussion', '{i think, i don''t, i''m, i''ve, i''d, i was, i just, you''re, doesn''t, isn''t, wasn''t, didn''t, couldn''t, maybe, probably, perhaps, actually, though, seems, however, anyone, anybody, somebody, someone, really, pretty, guess, wonder, sure, of course, problem, problems, question, tried, try, trying, works, worked, working, using, used, idea, agree, interesting, point,
		sounds like, looks like, a bit, kind of, sort of, as far as, at least, instead, anyway, yeah, nope, hmm, heh, ok, article, story, news, according to, government, politics, university, research, book}')
) AS t (theme, list), unnest(list::text[]) AS pattern
UNION
SELECT 'wording', 'word:' || word, word, 'word', weight FROM word;
