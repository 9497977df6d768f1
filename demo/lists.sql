-- Lists that the signals look into: assay.in_list('free_mail', from_domain). What is
-- INSERTed here counts for the next message.

-- Domains that many senders share who have nothing to do with each other: what
-- one of them sends says nothing about another, so there is no history of such
-- a domain, only of addresses. Mostly providers that give an address to anyone.
SELECT assay.create_list('free_mail', description => 'providers that give an address to anyone'),
       assay.create_list('shared_domain', description => 'other domains that say nothing about a sender')
\g /dev/null

INSERT INTO assay.list (set, value)
SELECT 'free_mail', unnest('{
	aol.com, btopenworld.com, canada.com, caramail.com, compuserve.com, earthlink.net, eircom.net,
	email.com, eudoramail.com, excite.com, fastmail.fm, freemail.hu, freenet.de, fsmail.net,
	gmail.com, gmx.de, gmx.net, hotmail.com, icloud.com, juno.com, latinmail.com, libero.it,
	lycos.com, mail.com, mail.ru, mailcity.com, mindspring.com, msn.com, myrealbox.com, netscape.net,
	netzero.net, outlook.com, postmaster.co.uk, prodigy.net, rediffmail.com, rocketmail.com, sina.com,
	terra.es, tiscali.it, usa.net, wanadoo.fr, web.de, yahoo.ca, yahoo.co.uk, yahoo.com, yahoo.de,
	yahoo.fr, zonnet.nl, 163.com, 21cn.com}'::text[]);

-- Whom others pass themselves off as: brands by what they are called, and by
-- their domains. Your own people belong into the list `people`.
SELECT assay.create_list('brand', description => 'names that display names claim'),
       assay.create_list('brand_domain', description => 'domains that others imitate'),
       assay.create_list('people', description => 'names of one''s own people')
\g /dev/null

INSERT INTO assay.list (set, value)
SELECT 'brand', unnest('{PayPal, eBay, Amazon, Microsoft, Hotmail, Yahoo, America Online, AOL, Citibank, Western Union,
	Wells Fargo, Bank of America, Visa, MasterCard, American Express, Symantec, Norton, DirecTV, Apple, Google}'::text[]);
INSERT INTO assay.list (set, value, kind)
SELECT 'brand_domain', unnest('{paypal.com, ebay.com, amazon.com, microsoft.com, hotmail.com, msn.com, yahoo.com, aol.com,
	citibank.com, citi.com, westernunion.com, wellsfargo.com, bankofamerica.com, visa.com, mastercard.com, americanexpress.com,
	symantec.com, norton.com, directv.com, apple.com, google.com}'::text[]), 'domain';
