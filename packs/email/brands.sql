-- ---------------------------------------------------------------------------
-- brands: names that are often taken in vain, and the domains they write from
-- ---------------------------------------------------------------------------

-- Names are phrases: a word or two that stand for one organization only. Where a
-- name is a common word too (Apple, Chase, Orange, Target), only what makes it
-- clear is here ("apple id"). Domains are of the organization, whatever the country.
CREATE TABLE assay.email_brand (
	brand text COLLATE "C" PRIMARY KEY CHECK (brand !~ '[|]'),
	sector text NOT NULL,
	names text[] NOT NULL,
	domains text[] NOT NULL
);
COMMENT ON TABLE assay.email_brand IS 'names that are often taken in vain, by what they are called and the domains they write from';
GRANT SELECT ON assay.email_brand TO PUBLIC;

INSERT INTO assay.email_brand (sector, brand, names, domains) VALUES
	('software', 'microsoft', '{microsoft, office 365, office365, microsoft 365, o365, outlook support, outlook team, onedrive, sharepoint, hotmail team, windows defender, microsoft teams, outlook web app, m365}', '{microsoft.com, microsoftonline.com, office.com, office365.com, outlook.com, live.com, hotmail.com, msn.com, sharepoint.com, sharepointonline.com, onedrive.com, windows.com, skype.com, azure.com, xbox.com, linkedin.com, microsoftsupport.com, microsoftstoreemail.com, teams.mail.microsoft, github.com, microsoftrewards.com}'),
	('software', 'google', '{google, gmail team, google drive, google workspace, google account, google play, google docs}', '{google.com, gmail.com, googlemail.com, youtube.com, googleapis.com, google.de, google.fr, google.co.uk, google.com.br, google.es, google.it, withgoogle.com, googlegroups.com}'),
	('software', 'apple', '{apple id, appleid, icloud, itunes, app store, apple support, apple pay, apple inc, apple store}', '{apple.com, icloud.com, me.com, mac.com, itunes.com}'),
	('software', 'adobe', '{adobe, acrobat sign, adobe sign, adobesign, adobe cloud}', '{adobe.com, adobesign.com, echosign.com, behance.net, frame.io}'),
	('software', 'docusign', '{docusign, docu sign, docu-sign}', '{docusign.com, docusign.net, docusign.eu}'),
	('software', 'dropbox', '{dropbox, dropbox sign, hellosign}', '{dropbox.com, dropboxmail.com, hellosign.com, db.tt}'),
	('software', 'wetransfer', '{wetransfer, we transfer}', '{wetransfer.com, we.tl, wetransfer.net}'),
	('software', 'zoom', '{zoom meeting, zoom video, zoom meetings}', '{zoom.us, zoom.com, zoomgov.com}'),
	('software', 'norton', '{norton, nortonlifelock, norton lifelock, norton 360, lifelock, norton antivirus}', '{norton.com, nortonlifelock.com, symantec.com, lifelock.com, gendigital.com, broadcom.com}'),
	('software', 'mcafee', '{mcafee, mc afee, mcafee total protection}', '{mcafee.com, mcafeeemail.com, trellix.com}'),
	('software', 'avast', '{avast, avg antivirus}', '{avast.com, avg.com, gendigital.com}'),
	('software', 'geek_squad', '{geek squad, geeksquad, best buy, bestbuy}', '{bestbuy.com, geeksquad.com, emailinfo.bestbuy.com}'),
	('software', 'intuit', '{intuit, quickbooks, turbotax, quick books}', '{intuit.com, quickbooks.com, turbotax.com, mailchimp.com}'),
	('software', 'github', '{github}', '{github.com, githubusercontent.com}'),
	('software', 'godaddy', '{godaddy, go daddy}', '{godaddy.com, secureserver.net}'),
	('software', 'ionos', '{ionos, 1und1, 1&1}', '{ionos.com, ionos.de, ionos.fr, ionos.es, ionos.it, ionos.co.uk, 1und1.de, 1and1.com, united-internet.de}'),
	('software', 'ovh', '{ovh, ovhcloud}', '{ovh.com, ovh.net, ovhcloud.com}'),
	('software', 'cpanel', '{cpanel, roundcube, zimbra, webmail admin}', '{cpanel.net, roundcube.net, zimbra.com, synacor.com}'),
	('software', 'netflix', '{netflix}', '{netflix.com, netflix.net}'),
	('software', 'spotify', '{spotify}', '{spotify.com, spotifymail.com}'),
	('software', 'disney', '{disney+, disney plus, disneyplus}', '{disney.com, disneyplus.com, go.com, disneyonline.com, mail.disneyplus.com}'),
	('software', 'steam', '{steam support, steampowered, steam community}', '{steampowered.com, steamcommunity.com, valvesoftware.com}'),
	('software', 'roblox', '{roblox}', '{roblox.com}'),
	('software', 'openai', '{openai, chatgpt}', '{openai.com, chatgpt.com}'),
	('social', 'facebook', '{facebook, meta business, instagram, meta support, meta for business, facebook ads, meta ads}', '{facebook.com, facebookmail.com, fb.com, meta.com, instagram.com, whatsapp.com, metamail.com, business.fb.com}'),
	('social', 'whatsapp', '{whatsapp}', '{whatsapp.com, facebookmail.com, meta.com, facebook.com}'),
	('social', 'linkedin', '{linkedin}', '{linkedin.com, linkedinmail.com, microsoft.com}'),
	('social', 'twitter', '{twitter}', '{twitter.com, x.com}'),
	('social', 'tiktok', '{tiktok, tik tok}', '{tiktok.com, bytedance.com}'),
	('social', 'telegram', '{telegram support, telegram messenger}', '{telegram.org}'),
	('social', 'discord', '{discord support, discord team}', '{discord.com, discordapp.com}'),
	('social', 'tinder', '{tinder, bumble, badoo, ashley madison, meetic}', '{tinder.com, gotinder.com, match.com, bumble.com, badoo.com, ashleymadison.com, meetic.com}'),
	('payment', 'paypal', '{paypal, pay pal, pay-pal}', '{paypal.com, paypal.de, paypal.fr, paypal.co.uk, paypal.it, paypal.es, paypal-communication.com, paypal.com.br, paypal.me, e-paypal.com, braintreegateway.com, xoom.com, venmo.com}'),
	('payment', 'visa', '{visa card, visa secure, verified by visa}', '{visa.com, visa.de, visa.co.uk}'),
	('payment', 'mastercard', '{mastercard}', '{mastercard.com, mastercard.us, mastercard.de}'),
	('payment', 'amex', '{american express, amex, americanexpress}', '{americanexpress.com, aexp.com, amex.com, americanexpress.de, americanexpress.co.uk, email.americanexpress.com}'),
	('payment', 'stripe', '{stripe payments, stripe support}', '{stripe.com}'),
	('payment', 'klarna', '{klarna}', '{klarna.com, klarna.de, klarna.se}'),
	('payment', 'wise', '{transferwise}', '{wise.com, transferwise.com}'),
	('payment', 'western_union', '{western union, moneygram, money gram}', '{westernunion.com, moneygram.com}'),
	('payment', 'zelle', '{zelle, cash app, cashapp, venmo}', '{zellepay.com, cash.app, square.com, squareup.com, venmo.com, paypal.com}'),
	('payment', 'revolut', '{revolut, monzo, n26}', '{revolut.com, monzo.com, n26.com}'),
	('payment', 'mercadopago', '{mercado pago, mercadopago, mercado livre, mercadolivre, mercado libre, mercadolibre}', '{mercadopago.com, mercadopago.com.br, mercadolivre.com.br, mercadolivre.com, mercadolibre.com, mercadolibre.com.ar, mercadolibre.com.mx, mercadopago.com.ar}'),
	('payment', 'livelo', '{livelo, esfera, smiles, multiplus, latam pass, dotz}', '{livelo.com.br, esfera.com.vc, smiles.com.br, latam.com, dotz.com.br, voelivre.com}'),
	('crypto', 'coinbase', '{coinbase}', '{coinbase.com, coinbase.net}'),
	('crypto', 'binance', '{binance}', '{binance.com, binance.us, bnbstatic.com, ses.binance.com}'),
	('crypto', 'metamask', '{metamask, meta mask}', '{metamask.io, consensys.net, consensys.io}'),
	('crypto', 'trust_wallet', '{trust wallet, trustwallet}', '{trustwallet.com}'),
	('crypto', 'ledger', '{ledger wallet, ledger live, ledger support, trezor}', '{ledger.com, ledger.fr, trezor.io, satoshilabs.com}'),
	('crypto', 'kraken', '{kraken support, kraken exchange, crypto.com, blockchain.com, kucoin, bybit, okx, gemini exchange, bitpanda, bitstamp, bitvavo, exodus wallet, phantom wallet, opensea, uniswap, ripple, stellar.org, stellar foundation, ethereum.org, ethereum foundation, ftx}', '{kraken.com, crypto.com, blockchain.com, kucoin.com, bybit.com, okx.com, gemini.com, bitpanda.com, bitstamp.net, bitvavo.com, exodus.com, phantom.app, opensea.io, uniswap.org, ripple.com, stellar.org, ethereum.org, ftx.com}'),
	('shop', 'amazon', '{amazon, amazon prime, prime video, amazon.com, aws billing}', '{amazon.com, amazon.de, amazon.co.uk, amazon.fr, amazon.it, amazon.es, amazon.nl, amazon.pl, amazon.se, amazon.ca, amazon.com.br, amazon.com.mx, amazon.com.au, amazon.in, amazon.co.jp, amazon.com.tr, amazon.ae, amazon.sg, amazon.com.be, amazonaws.com, primevideo.com, audible.com, audible.de, amazonses.com, a2z.com, amazon.jobs}'),
	('shop', 'ebay', '{ebay}', '{ebay.com, ebay.de, ebay.co.uk, ebay.fr, ebay.it, ebay.es, ebay.com.au, ebay.ca, ebay-kleinanzeigen.de, kleinanzeigen.de}'),
	('shop', 'walmart', '{walmart, sam''s club, sams club}', '{walmart.com, samsclub.com, walmart.ca, walmart.com.mx}'),
	('shop', 'costco', '{costco}', '{costco.com, costco.co.uk, costco.ca}'),
	('shop', 'home_depot', '{home depot, homedepot, lowe''s, lowes, harbor freight, ace hardware}', '{homedepot.com, lowes.com, harborfreight.com, acehardware.com, homedepot.ca}'),
	('shop', 'us_retail', '{kohl''s, kohls, macy''s, walgreens, cvs pharmacy, dick''s sporting goods, tractor supply, sephora, starbucks, southwest airlines, delta airlines}', '{kohls.com, macys.com, walgreens.com, cvs.com, dickssportinggoods.com, tractorsupply.com, sephora.com, sephora.fr, starbucks.com, southwest.com, delta.com}'),
	('shop', 'aliexpress', '{aliexpress, alibaba, temu, shein}', '{aliexpress.com, alibaba.com, alibaba-inc.com, temu.com, temuemail.com, shein.com, sheinemail.com}'),
	('shop', 'magalu', '{magazine luiza, magalu, americanas, casas bahia, lojas americanas, netshoes, shopee}', '{magazineluiza.com.br, magalu.com, magalu.com.br, americanas.com.br, americanas.com, casasbahia.com.br, netshoes.com.br, shopee.com.br, shopee.com}'),
	('shop', 'de_retail', '{lidl, aldi, rewe, edeka, rossmann, mediamarkt, media markt, saturn, kaufland, dm-drogerie, ikea, otto.de, zalando, tchibo, bauhaus, obi markt}', '{lidl.de, lidl.com, lidl.fr, lidl.es, lidl.it, aldi.de, aldi-sued.de, aldi-nord.de, aldi.com, rewe.de, edeka.de, rossmann.de, mediamarkt.de, mediamarkt.com, saturn.de, kaufland.de, dm.de, ikea.com, ikea.de, otto.de, zalando.de, zalando.com, tchibo.de, bauhaus.info, obi.de}'),
	('shop', 'eu_retail', '{carrefour, leclerc, auchan, decathlon, fnac, darty, leroy merlin, mercadona, el corte ingles, el corte inglés, esselunga, albert heijn, bol.com, coolblue, tesco, sainsbury''s, asda, argos, marks & spencer, allegro, biedronka, nespresso, cdiscount, boulanger, intermarché, intermarche}', '{carrefour.fr, carrefour.com, carrefour.es, carrefour.it, e-leclerc.com, leclerc.com, auchan.fr, auchan.com, decathlon.com, decathlon.fr, decathlon.de, fnac.com, darty.com, leroymerlin.fr, leroymerlin.es, mercadona.es, elcorteingles.es, esselunga.it, ah.nl, bol.com, coolblue.nl, tesco.com, sainsburys.co.uk, asda.com, argos.co.uk, marksandspencer.com, allegro.pl, biedronka.pl, nespresso.com, cdiscount.com, boulanger.com, intermarche.com}'),
	('shop', 'rakuten', '{rakuten, 楽天, 楽天市場, 楽天カード}', '{rakuten.co.jp, rakuten.com, rakuten-card.co.jp, rakuten.jp, rakuten-bank.co.jp}'),
	('shop', 'amazon_jp', '{アマゾン}', '{amazon.co.jp, amazon.com}'),
	('shop', 'mercari', '{メルカリ, mercari}', '{mercari.jp, mercari.com}'),
	('telecom', 'telekom', '{telekom, t-online, deutsche telekom, t-mobile, tmobile}', '{telekom.de, t-online.de, t-mobile.com, telekom.com, t-mobile.de, t-mobile.nl, magenta.at, t-mobile.pl, telekom.hu}'),
	('telecom', 'vodafone', '{vodafone}', '{vodafone.de, vodafone.com, vodafone.co.uk, vodafone.it, vodafone.es, vodafone.pt, vodafone.com.tr, vodafone.nl}'),
	('telecom', 'o2', '{o2 online, telefonica, telefónica, movistar, vivo fibra, claro brasil, tim brasil, oi fibra}', '{o2online.de, o2.co.uk, telefonica.com, telefonica.de, movistar.es, movistar.com, vivo.com.br, claro.com.br, tim.com.br, oi.com.br, o2.cz}'),
	('telecom', 'orange', '{orange telecom, orange mobile, espace client orange, orange bank, bouygues telecom, free mobile, sfr mail, sfr}', '{orange.fr, orange.com, orange.es, orange.pl, bouyguestelecom.fr, free.fr, free-mobile.fr, sfr.fr, sfr.com, orangebank.fr}'),
	('telecom', 'us_telecom', '{verizon, at&t, xfinity, comcast, spectrum internet}', '{verizon.com, verizonwireless.com, vzw.com, att.com, att.net, att-mail.com, xfinity.com, comcast.net, comcast.com, spectrum.com, spectrum.net, charter.com}'),
	('telecom', 'gmx', '{gmx, web.de, freenet}', '{gmx.de, gmx.net, gmx.com, web.de, 1und1.de, united-internet.de, freenet.de, gmx.at, gmx.ch, mail.com}'),
	('telecom', 'jp_telecom', '{docomo, ドコモ, au id, ソフトバンク, softbank, ntt ドコモ}', '{docomo.ne.jp, nttdocomo.co.jp, kddi.com, au.com, softbank.jp, softbank.ne.jp, ntt.com}'),
	('parcel', 'dhl', '{dhl, dhl express, deutsche post}', '{dhl.com, dhl.de, deutschepost.de, dpdhl.com, dhl.fr, dhlparcel.nl, dhlecommerce.co.uk, dhl-news.de}'),
	('parcel', 'ups', '{united parcel service, ups package, ups delivery, ups express}', '{ups.com}'),
	('parcel', 'fedex', '{fedex, fed ex}', '{fedex.com, fedex.de}'),
	('parcel', 'usps', '{usps, us postal service, united states postal service}', '{usps.com, usps.gov, uspis.gov}'),
	('parcel', 'dpd', '{dpd, chronopost, hermes paket, gls paket, evri, mondial relay}', '{dpd.com, dpd.de, dpd.co.uk, dpd.fr, dpd.pl, chronopost.fr, laposte.fr, myhermes.de, hermesworld.com, myhermes.co.uk, evri.com, gls-group.eu, gls-pakete.de, mondialrelay.fr, dpd.nl}'),
	('parcel', 'royal_mail', '{royal mail, parcelforce}', '{royalmail.com, parcelforce.com, postoffice.co.uk, royalmail.co.uk}'),
	('parcel', 'la_poste', '{la poste, laposte, colissimo}', '{laposte.fr, laposte.net, laposte.info, notif-laposte.info, colissimo.fr}'),
	('parcel', 'eu_post', '{swiss post, die post, schweizerische post, österreichische post, poste italiane, postepay, bancoposta, postnl, bpost, correos, ctt expresso, poczta polska, inpost, česká pošta, postnord, posten norge, an post, magyar posta}', '{post.ch, swisspost.ch, postfinance.ch, post.at, poste.it, posteitaliane.it, postepay.it, postnl.nl, bpost.be, correos.es, correos.com, ctt.pt, poczta-polska.pl, inpost.pl, inpost.co.uk, ceskaposta.cz, cpost.cz, postnord.com, postnord.se, postnord.dk, posten.no, anpost.ie, anpost.com, posta.hu}'),
	('parcel', 'world_post', '{australia post, auspost, canada post, japan post, 日本郵便, ヤマト運輸, クロネコヤマト, 佐川急便, 顺丰, 中国邮政, почта россии, сдэк, correios brasil}', '{auspost.com.au, canadapost.ca, canadapost-postescanada.ca, post.japanpost.jp, japanpost.jp, kuronekoyamato.co.jp, kuroneko.co.jp, sagawa-exp.co.jp, sf-express.com, chinapost.com.cn, ems.com.cn, pochta.ru, russianpost.ru, cdek.ru, correios.com.br}'),
	('parcel', 'maersk', '{maersk, msc cargo, cma cgm, tnt express}', '{maersk.com, msc.com, cma-cgm.com, tnt.com, hapag-lloyd.com}'),
	('bank', 'us_bank_names', '{bank of america, bankofamerica, wells fargo, chase bank, jpmorgan chase, jp morgan, citibank, citi bank, capital one, u.s. bank, us bank, pnc bank, truist, td bank, navy federal, usaa, discover card, charles schwab, fidelity investments, regions bank, synchrony, ally bank}', '{bankofamerica.com, bofa.com, wellsfargo.com, chase.com, jpmorgan.com, jpmchase.com, jpmorganchase.com, citi.com, citibank.com, citigroup.com, capitalone.com, usbank.com, pnc.com, truist.com, td.com, tdbank.com, navyfederal.org, usaa.com, discover.com, schwab.com, fidelity.com, regions.com, synchronybank.com, synchrony.com, ally.com}'),
	('bank', 'uk_bank_names', '{barclays, hsbc, lloyds bank, natwest, santander, nationwide building society, halifax bank, tsb bank, royal bank of scotland, standard chartered}', '{barclays.co.uk, barclays.com, barclaycard.co.uk, hsbc.co.uk, hsbc.com, hsbc.com.hk, lloydsbank.co.uk, lloydsbank.com, lloydsbanking.com, natwest.com, rbs.co.uk, rbs.com, santander.co.uk, santander.com, santander.com.br, santander.de, santander.es, santander.com.mx, bancosantander.es, santander.pt, santander.pl, gruposantander.com, nationwide.co.uk, halifax.co.uk, tsb.co.uk, sc.com}'),
	('bank', 'de_bank_names', '{sparkasse, volksbank, raiffeisenbank, raiffeisen, commerzbank, deutsche bank, postbank, ing-diba, ing diba, comdirect, targobank, hypovereinsbank, consorsbank, dkb, erste bank, bawag, bank austria, postfinance, ubs switzerland, credit suisse, zürcher kantonalbank, advanzia, barclaycard}', '{sparkasse.de, s-finanzportal.de, sparkassen.de, volksbank.de, vr.de, raiffeisen.at, raiffeisen.ch, raiffeisenbank.de, rbinternational.com, commerzbank.de, commerzbank.com, deutsche-bank.de, db.com, deutschebank.com, postbank.de, ing.de, ing.com, ing-diba.de, comdirect.de, targobank.de, hypovereinsbank.de, unicredit.de, consorsbank.de, dkb.de, erstebank.at, sparkasse.at, bawag.at, bankaustria.at, postfinance.ch, ubs.com, credit-suisse.com, zkb.ch, advanzia.com, barclays.de, barclaycard.de}'),
	('bank', 'fr_bank_names', '{bnp paribas, credit agricole, crédit agricole, societe generale, société générale, credit mutuel, crédit mutuel, banque populaire, caisse d''epargne, caisse d''épargne, banque postale, boursorama, lcl banque, cic banque, hello bank, fortuneo, belfius, kbc, argenta}', '{bnpparibas.com, bnpparibas.net, bnpparibas.fr, mabanque.bnpparibas, credit-agricole.fr, credit-agricole.com, ca-paris.fr, societegenerale.fr, socgen.com, societegenerale.com, creditmutuel.fr, creditmutuel.com, banquepopulaire.fr, bpce.fr, caisse-epargne.fr, labanquepostale.fr, boursorama.com, boursorama.fr, boursobank.com, lcl.fr, cic.fr, hellobank.fr, fortuneo.fr, belfius.be, kbc.be, argenta.be, bnpparibasfortis.be}'),
	('bank', 'es_bank_names', '{bbva, caixabank, la caixa, bankinter, banco sabadell, banco santander, openbank, banamex, citibanamex, banorte, bancolombia, davivienda, banco de chile, bancoestado, interbank, bcp peru, banco galicia}', '{bbva.com, bbva.es, bbva.mx, caixabank.es, caixabank.com, lacaixa.es, bankinter.com, bancsabadell.com, bancosabadell.com, bancosantander.es, santander.com, santander.es, santander.com.mx, openbank.es, banamex.com, citibanamex.com, banorte.com, bancolombia.com, bancolombia.com.co, davivienda.com, bancochile.cl, bancoestado.cl, interbank.pe, viabcp.com, bcp.com.pe, bancogalicia.com.ar}'),
	('bank', 'pt_bank_names', '{banco do brasil, bradesco, itau, itaú, itaucard, caixa economica, caixa econômica, caixa econômica federal, nubank, banco inter, sicoob, sicredi, banrisul, serasa, serasa experian, boa vista scpc, picpay, pagseguro, pagbank, banco pan, c6 bank, caixa geral de depositos, millennium bcp, novo banco}', '{bb.com.br, bancodobrasil.com.br, bradesco.com.br, bradesco.com, itau.com.br, itau-unibanco.com.br, itaucard.com.br, caixa.gov.br, caixa.com.br, nubank.com.br, bancointer.com.br, inter.co, sicoob.com.br, sicredi.com.br, banrisul.com.br, serasa.com.br, serasaexperian.com.br, boavistaservicos.com.br, consumidorpositivo.com.br, picpay.com, pagseguro.com.br, pagseguro.uol.com.br, pagbank.com.br, bancopan.com.br, c6bank.com.br, c6bank.com, cgd.pt, millenniumbcp.pt, novobanco.pt}'),
	('bank', 'it_bank_names', '{intesa sanpaolo, unicredit, nexi, bper banca, banca sella, fineco, mediolanum, monte dei paschi, banco bpm, findomestic, isybank}', '{intesasanpaolo.com, unicredit.it, unicredit.eu, unicreditgroup.eu, nexi.it, bper.it, sella.it, bancasella.it, fineco.it, finecobank.com, bancamediolanum.it, mps.it, gruppomps.it, bancobpm.it, findomestic.it, isybank.com}'),
	('bank', 'nl_bank_names', '{rabobank, abn amro, abn-amro, ing bank, sns bank, asn bank, digid, ics cards, international card services}', '{rabobank.nl, rabobank.com, abnamro.nl, abnamro.com, ing.nl, ing.com, snsbank.nl, asnbank.nl, digid.nl, icscards.nl, icsbusiness.nl}'),
	('bank', 'pl_bank_names', '{pko bank, pko bp, mbank, bank pekao, alior bank, ing bank śląski, bnp paribas polska, blik, ceska sporitelna, česká spořitelna, komerční banka, otp bank, sberbank, сбербанк, тинькофф, альфа-банк, втб, garanti bbva, ziraat bankası, yapı kredi, akbank, iş bankası}', '{pkobp.pl, ipko.pl, mbank.pl, mbank.cz, pekao.com.pl, alior.pl, aliorbank.pl, ing.pl, bnpparibas.pl, blik.com, csas.cz, kb.cz, otpbank.hu, sberbank.ru, sber.ru, tinkoff.ru, tbank.ru, alfabank.ru, vtb.ru, garantibbva.com.tr, garanti.com.tr, ziraatbank.com.tr, yapikredi.com.tr, akbank.com, isbank.com.tr}'),
	('bank', 'jp_bank_names', '{三井住友, 三井住友銀行, 三井住友カード, 三菱ufj, 三菱ufj銀行, みずほ銀行, ゆうちょ銀行, イオンカード, エポスカード, セゾンカード, jcbカード, 三菱ufjニコス, smbc, えきねっと, etc利用照会サービス, オリコカード, りそな銀行, 住信sbi}', '{smbc.co.jp, smbc-card.com, vpass.ne.jp, mufg.jp, bk.mufg.jp, cr.mufg.jp, mizuhobank.co.jp, jp-bank.japanpost.jp, aeon.co.jp, aeonbank.co.jp, eposcard.co.jp, saisoncard.co.jp, jcb.co.jp, eki-net.com, etc-meisai.jp, orico.co.jp, resonabank.co.jp, netbk.co.jp, jreast.co.jp}'),
	('bank', 'asia_bank_names', '{dbs bank, ocbc, uob bank, maybank, cimb, icbc, bank of china, hdfc bank, icici bank, axis bank, state bank of india, sbi card, paytm, commonwealth bank, commbank, westpac, anz bank, national australia bank, royal bank of canada, scotiabank, cibc, bmo bank, desjardins, interac, fnb bank, absa, standard bank, capitec, nedbank, 支付宝, 中国银行, 工商银行, 建设银行, 微信支付}', '{dbs.com, dbs.com.sg, ocbc.com, uob.com.sg, maybank.com, maybank2u.com.my, cimb.com, icbc.com.cn, boc.cn, bankofchina.com, hdfcbank.com, hdfcbank.net, icicibank.com, axisbank.com, sbi.co.in, sbicard.com, paytm.com, cba.com.au, commbank.com.au, westpac.com.au, anz.com, nab.com.au, rbc.com, scotiabank.com, cibc.com, bmo.com, desjardins.com, interac.ca, payments.interac.ca, fnb.co.za, absa.co.za, absa.africa, standardbank.co.za, capitecbank.co.za, nedbank.co.za, alipay.com, ccb.com, tencent.com, wechat.com}'),
	('state', 'us_gov', '{internal revenue service, irs refund, social security administration, medicare, fbi headquarters, federal bureau of investigation, homeland security, us treasury}', '{irs.gov, ssa.gov, medicare.gov, cms.gov, fbi.gov, dhs.gov, treasury.gov, ic.fbi.gov}'),
	('state', 'uk_gov', '{hmrc, hm revenue, gov.uk, dvla, tv licensing, tv licence, nhs}', '{gov.uk, hmrc.gov.uk, service.gov.uk, dvla.gov.uk, tvlicensing.co.uk, nhs.uk, nhs.net}'),
	('state', 'de_gov', '{finanzamt, bundeszentralamt für steuern, elster, zollamt, bundespolizei, bundeskriminalamt, finanzonline, finanz online, bundesfinanzministerium, krankenkasse, rundfunkbeitrag}', '{elster.de, bzst.de, bund.de, zoll.de, bundespolizei.de, bka.de, bmf.gv.at, finanzonline.at, rundfunkbeitrag.de, bundesfinanzministerium.de}'),
	('state', 'fr_gov', '{impots.gouv, impots, service des impôts, ameli, assurance maladie, carte vitale, antai, caf allocations, crit''air, france connect, gendarmerie nationale, police nationale, europol, interpol}', '{gouv.fr, dgfip.finances.gouv.fr, impots.gouv.fr, ameli.fr, assurance-maladie.fr, antai.fr, antai.gouv.fr, caf.fr, franceconnect.gouv.fr, service-public.fr, europa.eu, interpol.int}'),
	('state', 'es_gov', '{agencia tributaria, dgt multas, seguridad social, agenzia delle entrate, inps, receita federal, gov.br, detran, inss, autoridade tributaria, autoridade tributária, belastingdienst, urząd skarbowy, госуслуги, фнс россии, sunat, hacienda, e-devlet, 国税庁, マイナポータル, 税务局}', '{agenciatributaria.gob.es, aeat.es, gob.es, dgt.es, seg-social.es, agenziaentrate.it, agenziaentrate.gov.it, inps.it, gov.it, receita.fazenda.gov.br, fazenda.gov.br, gov.br, portaldasfinancas.gov.pt, at.gov.pt, belastingdienst.nl, podatki.gov.pl, mf.gov.pl, gov.pl, gosuslugi.ru, nalog.ru, nalog.gov.ru, sunat.gob.pe, hacienda.gob.mx, sat.gob.mx, turkiye.gov.tr, nta.go.jp, e-tax.nta.go.jp, digital.go.jp, chinatax.gov.cn}'),
	('insurance', 'br_insurance', '{amil, unimed, bradesco saude, bradesco saúde, sulamerica, sulamérica, hapvida, notredame intermedica, porto seguro, prevent senior}', '{amil.com.br, unimed.coop.br, unimed.com.br, bradescosaude.com.br, bradescoseguros.com.br, sulamerica.com.br, hapvida.com.br, gndi.com.br, portoseguro.com.br, preventsenior.com.br}'),
	('insurance', 'world_insurance', '{aarp, blue cross, unitedhealthcare, state farm, geico, aok, barmer, techniker krankenkasse, allianz, axa, generali, adac, huk-coburg}', '{aarp.org, bcbs.com, bluecross.com, uhc.com, unitedhealthcare.com, statefarm.com, geico.com, aok.de, barmer.de, tk.de, allianz.de, allianz.com, axa.com, axa.de, axa.fr, generali.com, generali.it, generali.de, adac.de, huk.de, huk-coburg.de}'),
	('travel', 'booking', '{booking.com, airbnb, expedia}', '{booking.com, airbnb.com, expedia.com, airbnb.de, airbnb.fr, expediamail.com, partner.booking.com, property.booking.com}');

-- The phrases that find a name, the domains that are its own, and which domain is whose
SELECT assay.create_phrase_set('email.brand', readers => '{public}', description => 'names of brands; a phrase has the brand as its name, the sector as its theme');
INSERT INTO assay.phrase (set, name, pattern, theme, note)
SELECT DISTINCT ON (b.brand, pg_catalog.lower(n)) 'email.brand', b.brand, n, b.sector, 'often taken in vain'
FROM assay.email_brand b, pg_catalog.unnest(b.names) n;

INSERT INTO assay.list (set, value, kind, note)
SELECT 'email.brand_domain', d, 'domain', 'writes as ' || pg_catalog.min(b.brand)
FROM assay.email_brand b, pg_catalog.unnest(b.domains) d GROUP BY d;
-- by the registrable domain, as signals have it; of a public suffix (gov.uk) the suffix
INSERT INTO assay.list (set, value, kind, note)
SELECT DISTINCT 'email.brand_owner', b.brand || '|' || coalesce(assay.registrable_domain(d), d), 'exact', 'may write as ' || b.brand
FROM assay.email_brand b, pg_catalog.unnest(b.domains) d;
